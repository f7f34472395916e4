"""Whether a server stays as it is under load: `python -m benchmarks.soak`."""
