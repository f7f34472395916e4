"""The same scenarios by locust, for those who like its page.

    SCENARIO=deploy/loadtest/scenarios/everyday.toml locust -f deploy/loadtest/locustfile.py --host localhost:50051

A user waits for each answer before it asks again (a closed loop), so that latencies here are the server's under so many
users, not those of arrivals of their own; `python -m deploy.loadtest` has both.
"""

import os
import time
from pathlib import Path
from typing import Any

import grpc
from grpc.experimental import gevent as grpc_gevent
from locust import User, constant, task

from deploy.loadtest.scenario import Closed, Scenario
from deploy.loadtest.traffic import calls
from regard.v1 import regard_pb2_grpc as stubs

grpc_gevent.init_gevent()  # before the first channel: gRPC's own threads would block all users

DEFAULT = Path(__file__).parent / "scenarios" / "everyday.toml"
SCENARIO = Scenario.read(Path(os.environ.get("SCENARIO", DEFAULT)))
CALLS = calls(SCENARIO)


class Caller(User):
    """One connection, one call at a time. The host is HOST:PORT."""

    wait_time = constant(SCENARIO.arrivals.think_s if isinstance(SCENARIO.arrivals, Closed) else 0)

    def on_start(self) -> None:
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
        self._channel = grpc.insecure_channel(self.host or "localhost:50051", options)
        self._stub: Any = stubs.AttentionServiceStub(self._channel)

    def on_stop(self) -> None:
        self._channel.close()

    @task
    def call(self) -> None:
        call = next(CALLS)
        begin, size, error = time.perf_counter(), 0, None
        try:
            answer = getattr(self._stub, call.method)(call.request, timeout=SCENARIO.timeout_s)
            size = sum(event.ByteSize() for event in (answer if call.is_stream else [answer]))
        except grpc.RpcError as failure:
            error = failure
        self.environment.events.request.fire(
            request_type=call.method,
            name=call.part,
            response_time=1000 * (time.perf_counter() - begin),
            response_length=size,
            exception=error,
        )
