"""Measurements of what is served: `python -m benchmarks.quality`, `python -m benchmarks.serving`. See README.md."""
