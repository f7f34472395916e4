"""Runs the scenarios in locust, which has a web page.

    SCENARIO=deploy/loadtest/scenarios/everyday.toml locust -f deploy/loadtest/locustfile.py --host localhost:50051

Calls over HTTP go to the address in the environment variable HTTP, localhost:8080 without it.

Each user sends its next call after the last answer (a closed loop). `python -m deploy.loadtest` also runs open loops,
whose latencies are those of independent arrivals.
"""

import http.client
import os
import time
from pathlib import Path
from typing import Any

import gevent
import grpc
from grpc.experimental import gevent as grpc_gevent
from locust import User, constant, task

from benchmarks.loadtest.http_apis import HttpRequest, WrongAnswer, outputs_of
from benchmarks.loadtest.scenario import Closed, Scenario
from benchmarks.loadtest.traffic import Call, calls
from regard.v1 import regard_pb2_grpc as stubs

grpc_gevent.init_gevent()  # before the first channel; otherwise gRPC's own threads block all users

DEFAULT = Path(__file__).parent / "scenarios" / "everyday.toml"
SCENARIO = Scenario.read(Path(os.environ.get("SCENARIO", DEFAULT)))
CALLS = calls(SCENARIO)


HTTP = os.environ.get("HTTP", "localhost:8080")
OK = 200


class Unexpected(Exception):
    """The server answered a call that must fail."""


class Refused(Exception):
    """The server refused a call over HTTP. Attributes: status: of HTTP."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"{status}: {body[:200]!r}")
        self.status = status


class Caller(User):
    """A user with one connection of each kind, who sends one call at a time. The host is HOST:PORT."""

    wait_time = constant(SCENARIO.arrivals.think_s if isinstance(SCENARIO.arrivals, Closed) else 0)

    def on_start(self) -> None:
        """Connects."""
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
        self._channel = grpc.insecure_channel(self.host or "localhost:50051", options)
        self._stub: Any = stubs.AttentionServiceStub(self._channel)
        self._http = http.client.HTTPConnection(HTTP, timeout=SCENARIO.timeout_s)

    def on_stop(self) -> None:
        """Disconnects."""
        self._channel.close()
        self._http.close()

    @task
    def call(self) -> None:
        """Sends the next call of the scenario and reports how it ended."""
        call = next(CALLS)
        begin, size = time.perf_counter(), 0
        error: Exception | None = None
        try:
            size = self._ask(call)
            if call.expected != "OK":
                error = Unexpected(f"answered; expected {call.expected}")
        except grpc.FutureCancelledError:
            pass  # cancelled by `_ask`
        except grpc.RpcError as failure:
            is_cancelled = call.cancel_after_s is not None and failure.code() is grpc.StatusCode.CANCELLED
            if not is_cancelled and failure.code().name != call.expected:
                error = failure
        except Refused as refused:
            error = None if str(refused.status) == call.expected else refused
        except (WrongAnswer, OSError, http.client.HTTPException) as failure:
            self._http.close()
            error = failure
        self.environment.events.request.fire(
            request_type=call.method,
            name=call.part,
            response_time=1000 * (time.perf_counter() - begin),
            response_length=size,
            exception=error,
        )

    def _ask(self, call: Call) -> int:
        """Sends a call and cancels it when its scenario says so; returns the size of the answer in bytes."""
        if isinstance(call.request, HttpRequest):
            return self._post(call.request, call.cancel_after_s)
        method = getattr(self._stub, call.method)
        reply = (method if call.is_stream else method.future)(call.request, timeout=SCENARIO.timeout_s)
        cancelling = None if call.cancel_after_s is None else gevent.spawn_later(call.cancel_after_s, reply.cancel)
        try:
            return sum(event.ByteSize() for event in (reply if call.is_stream else [reply.result()]))
        finally:
            if cancelling is not None:
                cancelling.kill()

    def _post(self, request: HttpRequest, cancel_after_s: float | None) -> int:
        """Sends a call over HTTP. Raises Refused, WrongAnswer, OSError, HTTPException."""
        with gevent.Timeout(cancel_after_s, False):
            self._http.request("POST", request.path, request.body, {"content-type": "application/json"})
            answer = self._http.getresponse()
            body = answer.read()
            if answer.status != OK:
                raise Refused(answer.status, body)
            outputs_of(request, body)
            return len(body)
        self._http.close()  # its answer was given up
        return 0
