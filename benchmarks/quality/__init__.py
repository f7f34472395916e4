"""How good the outputs of the served bundles are: `python -m benchmarks.quality --data DIR`."""
