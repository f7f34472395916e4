"""The channel to a server: retries, load balancing, keepalive and message sizes."""

import json
import math
import numbers
from typing import Any

from regard.errors import CallError

# Balances over all addresses that a name resolves to, such as those of a headless Kubernetes service, and repeats
# calls that no server has accepted (gRPC A6). A server that a call kills looks like one that has not accepted it, so a
# call is repeated once only: it must not go through all replicas. The budget lets all calls of a lost replica be
# repeated, and none where many fail for long, which would add to an overload. A server's CANCELLED is repeated too:
# gRPC answers with it when a call arrives while the server closes its connections. Calls that the caller cancels are
# not repeated.
SERVICE_CONFIG: dict[str, Any] = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [{"service": "regard.v1.AttentionService"}, {"service": "regard.v1.ModelService"}],
            "retryPolicy": {
                "maxAttempts": 2,
                "initialBackoff": "0.1s",
                "maxBackoff": "2s",
                "backoffMultiplier": 3,
                "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
            },
        }
    ],
    "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.1},
}

# Pauses before a call is repeated that a server refused because it shuts down. It has not looked at the call, so more
# repetitions than gRPC's harm nobody. gRPC's own may reach the same server again, whose end the channel has yet to see.
DRAINING_PAUSES_S = (0.1, 0.3, 0.9)

# All maps of a long text exceed gRPC's default of 4 MiB: 6 layers x 8 heads x 512 x 512 float32 are 48 MiB.
MAX_RESPONSE_BYTES = 512 * 2**20

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "ipv4:127.0.0.1", "ipv6:[::1]")


def channel_options(target: str) -> list[tuple[str, str | int]]:
    """The gRPC options of a channel to that target."""
    options: list[tuple[str, str | int]] = [
        ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
        ("grpc.max_receive_message_length", MAX_RESPONSE_BYTES),
        # The server's limit applies, and its error names the limit.
        ("grpc.max_send_message_length", -1),
        # Detects a dead connection during a call, not after it.
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.http2.ping_timeout_ms", 20_000),  # gRPC obeys this one; its default is a minute
    ]
    if target.startswith(_LOOPBACK):
        # A proxy for the outside cannot reach this machine's loopback.
        options.append(("grpc.enable_http_proxy", 0))
    return options


def is_draining(error: CallError) -> bool:
    """Whether a server refused a call because it shuts down: in its own words, or by gRPC before accepting the call."""
    is_not_accepted = error.code == "CANCELLED" and not error.reason and error.message in ("", "CANCELLED")
    return error.reason == "DRAINING" or is_not_accepted


_MAX_TIMEOUT_S = 1e9
"""30 years. gRPC adds a timeout to its clock, and a sum that it cannot hold counts as a deadline that has passed."""


def checked_timeout(timeout: float) -> float:
    """A client's timeout in seconds. Raises TypeError if it is no number."""
    if not isinstance(timeout, numbers.Real) or isinstance(timeout, bool) or math.isnan(timeout):
        raise TypeError(f"timeout must be a number of seconds; it is {timeout!r}; math.inf is no limit")
    return float(timeout)


def deadline(timeout: float | None, default: float) -> float | None:
    """A call's timeout in seconds as gRPC expects it: `default` for None, and None, no limit, from 30 years on."""
    chosen = default if timeout is None else checked_timeout(timeout)
    return None if chosen >= _MAX_TIMEOUT_S else chosen
