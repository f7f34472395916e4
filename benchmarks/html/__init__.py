"""Measures how fast attention is displayed: `python -m benchmarks.html`."""
