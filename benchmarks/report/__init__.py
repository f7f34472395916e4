"""Writes the tables of documents from result files: `python -m benchmarks.report`."""
