"""The same scenarios by locust, for those who like its page.

    SCENARIO=deploy/loadtest/scenarios/everyday.toml locust -f deploy/loadtest/locustfile.py --host localhost:50051

A user waits for each answer before it asks again (a closed loop), so that latencies here are the server's under so many
users, not those of arrivals of their own; `python -m deploy.loadtest` has both.
"""

import os
import time
from pathlib import Path
from typing import Any

import gevent  # type: ignore[import-untyped]
import grpc
from grpc.experimental import gevent as grpc_gevent
from locust import User, constant, task

from benchmarks.loadtest.scenario import Closed, Scenario
from benchmarks.loadtest.traffic import Call, calls
from regard.v1 import regard_pb2_grpc as stubs

grpc_gevent.init_gevent()  # before the first channel: gRPC's own threads would block all users

DEFAULT = Path(__file__).parent / "scenarios" / "everyday.toml"
SCENARIO = Scenario.read(Path(os.environ.get("SCENARIO", DEFAULT)))
CALLS = calls(SCENARIO)


class Unexpected(Exception):
    """An answer to what should have been refused."""


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
        begin, size = time.perf_counter(), 0
        error: Exception | None = None
        try:
            size = self._ask(call)
            if call.expected != "OK":
                error = Unexpected(f"answered; {call.expected} is due")
        except grpc.FutureCancelledError:
            pass  # by ourselves
        except grpc.RpcError as failure:
            gave_up = call.cancel_after_s is not None and failure.code() is grpc.StatusCode.CANCELLED
            if not gave_up and failure.code().name != call.expected:
                error = failure
        self.environment.events.request.fire(
            request_type=call.method,
            name=call.part,
            response_time=1000 * (time.perf_counter() - begin),
            response_length=size,
            exception=error,
        )

    def _ask(self, call: Call) -> int:
        """Makes a call, and leaves it where that is what its caller does; returns the bytes of the answer."""
        method = getattr(self._stub, call.method)
        reply = (method if call.is_stream else method.future)(call.request, timeout=SCENARIO.timeout_s)
        leaving = None if call.cancel_after_s is None else gevent.spawn_later(call.cancel_after_s, reply.cancel)
        try:
            return sum(event.ByteSize() for event in (reply if call.is_stream else [reply.result()]))
        finally:
            if leaving is not None:
                leaving.kill()
