"""Compares attention mechanisms on one task: `python -m benchmarks.mechanisms --data DIR`."""
