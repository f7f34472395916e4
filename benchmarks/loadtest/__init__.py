"""Scenarios of calls and the generator that sends them; `python -m deploy.loadtest` is its command."""
