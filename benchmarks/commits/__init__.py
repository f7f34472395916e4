"""Two commits side by side, on the same minutes: `python -m benchmarks.commits --before REV`."""
