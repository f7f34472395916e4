"""How attention mechanisms compare on one task: `python -m benchmarks.mechanisms --data DIR`."""
