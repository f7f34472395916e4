"""Compares Regard with its peers on the same weights and the same machine: `python -m benchmarks.peers`."""
