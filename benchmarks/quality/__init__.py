"""Scores the outputs of served bundles: `python -m benchmarks.quality --data DIR`."""
