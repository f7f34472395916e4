"""Profiles requests, steps and operators against the machine's peaks: `python -m benchmarks.profile`."""
