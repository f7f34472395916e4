"""Compares the processor time of two commits on the same minutes: `python -m benchmarks.commits --before REV`."""
