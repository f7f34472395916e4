"""For all tests: one thread for tiny products, and no limits of time in Hypothesis, since a busy machine pauses."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported; several threads would wait for each other

from hypothesis import HealthCheck, settings

settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
