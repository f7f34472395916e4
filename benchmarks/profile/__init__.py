"""Where a request's time goes, and how near steps come to what the machine can do: `python -m benchmarks.profile`."""
