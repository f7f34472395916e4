"""How much load a replica carries, and how many a load needs: `python -m benchmarks.capacity`."""
