"""Code of worker processes. Each module imports its engine and modules of this folder only.

So each peer runs in its own environment with its own versions.
"""
