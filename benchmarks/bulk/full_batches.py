"""Keeps an engine full with calls that cost their sender least: requests made beforehand, answers left unread.

What a server computes for these calls is what it computes for `client.map`; the rest of a client's work is missing.
"""

from collections import deque
from collections.abc import Callable, Sequence

import grpc

from regard.calls.channel import channel_options
from regard.calls.mapping import BATCH_SIZES
from regard.calls.options import TranslateOptions
from regard.calls.requests import translate

_METHOD = "/regard.v1.AttentionService/Translate"
IN_FLIGHT = 8
"""Calls that wait at the server or run there; twice those of `client.map`."""


def run(target: str, model: str, language: str, texts: Sequence[str], timeout_s: float) -> Callable[[], int]:
    """A function that sends the texts in full batches of bulk priority, with the alignment, and waits for all answers.

    It returns 0, the number of rows that failed: it raises grpc.RpcError if a call fails.
    """
    size = BATCH_SIZES["translation"]
    batches = [texts[begin : begin + size] for begin in range(0, len(texts), size)]
    options: TranslateOptions = {"model": model, "priority": "bulk", "attention": True}
    requests = [translate(batch, language, options).SerializeToString() for batch in batches]

    def send() -> int:
        waiting: deque[grpc.Future[bytes]] = deque()
        with grpc.insecure_channel(target, channel_options(target)) as channel:
            call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(_METHOD)  # bytes in, bytes out
            for request in requests:
                if len(waiting) == IN_FLIGHT:
                    waiting.popleft().result()
                waiting.append(call.future(request, timeout=timeout_s))
            for each in waiting:
                each.result()
        return 0

    return send
