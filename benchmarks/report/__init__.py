"""Writes the tables of documents from the results of all benchmarks: `python -m benchmarks.report`."""
