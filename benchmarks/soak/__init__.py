"""Measures whether a server leaks or slows down under steady load: `python -m benchmarks.soak`."""
