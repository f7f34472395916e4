"""For all tests: one thread for tiny products, and no deadline for Hypothesis, since a shared machine may pause."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported; several threads would wait for each other

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
