"""The load generator against a servicer that answers at once."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import grpc
import pytest

from benchmarks.serving.load_generator import Load, LoadResult, WrongAnswer, generate
from regard.v1 import regard_pb2 as pb
from regard.v1 import regard_pb2_grpc as stubs
from tests.waiting import ever_longer


class Echo(stubs.AttentionServiceServicer):
    """Answers each request with three tokens, and with an empty map if requested, or always."""

    def __init__(self) -> None:
        self.peers: set[str] = set()
        self.always_maps = False

    async def Translate(self, request: pb.TranslateRequest, context: Any) -> pb.TranslateResponse:  # noqa: N802
        self.peers.add(context.peer())
        hypothesis = pb.Hypothesis(tokens=[pb.TargetToken()] * 3)
        if request.attention.kinds or self.always_maps:
            hypothesis.attention.add()
        return pb.TranslateResponse(results=[pb.Result(hypotheses=[hypothesis])])


@pytest.fixture
async def echo() -> AsyncIterator[tuple[Echo, str]]:
    server, servicer = grpc.aio.server(), Echo()  # type: ignore[abstract]  # only the stubs make methods abstract
    stubs.add_AttentionServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield servicer, f"127.0.0.1:{port}"
    await server.stop(None)


def load(target: str, **fields: Any) -> Load:
    return Load(target=target, model="m", language="de", num_clients=3, warmup_s=0.05, **fields)


async def answered(target: str, first_s: float, **fields: Any) -> LoadResult:
    """The result of a load that lasts long enough for an answer in the time that counts."""
    for time_s in ever_longer(first_s):
        with suppress(WrongAnswer):
            return await generate(load(target, duration_s=time_s, **fields))
    raise AssertionError("no load was long enough")


async def test_every_client_has_a_connection(echo: tuple[Echo, str]) -> None:
    servicer, target = echo
    result = await answered(target, 0.3, alignment=True)
    assert len(servicer.peers) >= 3
    assert result.tokens_per_request == 3
    assert result.requests_per_s == pytest.approx(result.num_requests / result.seconds, rel=0.01)
    assert 0 < result.latency_p50_ms <= result.latency_p95_ms


async def test_a_load_ends_with_its_most_requests(echo: tuple[Echo, str]) -> None:
    result = await answered(echo[1], 1.0, max_requests=1000)
    assert result.num_requests <= 1000


async def test_a_wrong_answer_fails_the_load(echo: tuple[Echo, str]) -> None:
    echo[0].always_maps = True
    with pytest.raises(ExceptionGroup, match="unhandled"):
        await generate(load(echo[1], duration_s=0.3))
