"""Measures corpora on the way into a folder: `python -m benchmarks.bulk`."""
