"""The channel to a server: retries, load balancing, keepalive and message sizes."""

import json
import math
from collections.abc import Sequence
from typing import Any, TypeAlias

Metadata: TypeAlias = Sequence[tuple[str, str]]

# The client balances over all addresses that a name resolves to, as a headless Kubernetes service has them, and repeats
# what no server has taken up (gRPC A6); more than this would add to an overload. CANCELLED from a server is such a call
# too: gRPC answers so what reaches a process just as it closes its connections. What a caller cancels is not repeated.
SERVICE_CONFIG: dict[str, Any] = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [{"service": "regard.v1.AttentionService"}, {"service": "regard.v1.ModelService"}],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "2s",
                "backoffMultiplier": 3,
                "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
            },
        }
    ],
    "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.1},
}

# All maps of a long text are far above gRPC's 4 MiB: 6 layers x 8 heads x 512 x 512 float32 are 48 MiB.
MAX_RESPONSE_BYTES = 512 * 2**20

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "ipv4:127.0.0.1", "ipv6:[::1]")


def channel_options(target: str) -> list[tuple[str, str | int]]:
    """Options of a channel to that target."""
    options: list[tuple[str, str | int]] = [
        ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
        ("grpc.max_receive_message_length", MAX_RESPONSE_BYTES),
        # The server's own limit counts; its answer says what it is.
        ("grpc.max_send_message_length", -1),
        # A connection that died without a word is noticed within a call, not after it.
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.http2.ping_timeout_ms", 20_000),  # what gRPC goes by; its own is a minute
    ]
    if target.startswith(_LOOPBACK):
        # A proxy set for the outside cannot reach this machine's own loopback.
        options.append(("grpc.enable_http_proxy", 0))
    return options


def deadline(timeout: float | None, default: float) -> float | None:
    """A call's time as gRPC takes it, in seconds: None of the caller's is the default, infinity is no limit."""
    chosen = default if timeout is None else timeout
    return None if math.isinf(chosen) else chosen
