"""How fast and how large the server is: `python -m benchmarks.serving`."""
