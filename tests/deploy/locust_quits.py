"""A locustfile beside the one under test: ends the run after NUM_REQUESTS requests (environment), not after a time.

Tests do not import it: importing locust patches the standard library.
"""

import os
from itertools import count
from typing import Any

import gevent
from locust import events
from locust.env import Environment

NUM_REQUESTS = int(os.environ["NUM_REQUESTS"])


@events.init.add_listener  # type: ignore[untyped-decorator]  # locust's has no types
def quit_after_requests(environment: Environment, **_: Any) -> None:
    numbers = count(1)

    def on_request(**_: Any) -> None:
        if next(numbers) == NUM_REQUESTS and environment.runner is not None:
            gevent.spawn(environment.runner.quit)  # which ends every user, this one too

    environment.events.request.add_listener(on_request)
