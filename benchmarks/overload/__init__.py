"""Measures a server under more load than it can carry: `python -m benchmarks.overload`."""
