"""What runs in worker processes, each in its engine's own environment: imports that engine and its neighbours here.

Needs nothing of the benchmarks' environment, so that the peers' versions are free.
"""
