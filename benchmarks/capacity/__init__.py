"""Measures a replica's capacity and how many replicas a load needs: `python -m benchmarks.capacity`."""
