"""Hypothesis without a deadline: a shared machine may pause any example."""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
