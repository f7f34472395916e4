"""Both clients against a real gRPC server with made-up answers."""

import asyncio
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import regard
from regard.names import MapEncoding
from regard.v1 import regard_pb2 as pb
from tests.integration.fake_regard import FakeServer, alignment_of


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as running:
        yield running


@pytest.fixture
def client(server: FakeServer) -> Iterator[regard.Client]:
    with regard.Client(server.target) as opened:
        yield opened


def test_one_text_gives_one_result(client: regard.Client) -> None:
    result = client.translate("where is it", to="de")
    assert result.text == "IT IS WHERE"
    assert [token.piece for token in result.source_tokens] == ["▁where", "▁is", "▁it", "</s>"]
    assert result.source_tokens[1].span == regard.Span(6, 8)
    assert result.source_tokens[3].span is None
    assert result.source_tokens[3].special
    assert result.best.finish_reason == "end"
    assert result.best.tokens[1].logprob == pytest.approx(-0.1)
    assert result.best.tokens[0].copied_from is None
    near: list[Any] = [pytest.approx(value) for value in (0.1, 0.2, 0.3)]  # in the place of floats
    assert result.timings == regard.Timings(*near)
    assert result.alignment is None
    assert result.image_grid is None


def test_several_texts_give_results_in_order(client: regard.Client) -> None:
    assert [result.text for result in client.translate(["a b", "c"], to="de")] == ["B A", "C"]
    assert client.translate([], to="de") == []


def test_options_become_the_requests_fields(server: FakeServer, client: regard.Client) -> None:
    client.translate(
        ["x"],
        to="fr",
        source_language="en",
        model="everyday@2",
        num_beams=5,
        length_penalty=0.0,
        early_stopping="never",
        seed=2**40,
        attention=["alignment", "cross"],
        words=True,
        layers=[1, 0],
        encoding="float16",
        attention_top_k=3,
        truncation="split_and_join",
        priority="bulk",
        format="html",
        unit="passage",
        raw=True,
        protected_patterns=["a+"],
        protected_spans=[(0, 0, 1)],
    )
    expected = pb.TranslateRequest(
        model="everyday@2",
        texts=["x"],
        source_language="en",
        target_language="fr",
        generation=pb.GenerationConfig(
            num_beams=5, length_penalty=0.0, early_stopping=pb.EARLY_STOPPING_NEVER, seed=2**40
        ),
        attention=pb.AttentionConfig(
            kinds=[pb.ATTENTION_KIND_ALIGNMENT, pb.ATTENTION_KIND_CROSS],
            layers=[1, 0],
            granularity=pb.GRANULARITY_WORD,
            encoding=pb.ENCODING_FLOAT16,
            top_k=3,
        ),
        truncation=pb.TRUNCATION_SPLIT_AND_JOIN,
        priority=pb.PRIORITY_BULK,
        text_options=pb.TextOptions(
            format=pb.FORMAT_HTML,
            unit=pb.UNIT_PASSAGE,
            raw=True,
            protected_patterns=["a+"],
            protected_spans=[pb.ProtectedSpan(text=0, span=pb.Span(start=0, end=1))],
        ),
    )
    assert server.fake.requests == [expected]


def test_options_that_are_none_stay_unset(server: FakeServer, client: regard.Client) -> None:
    client.translate("x", to="de", num_beams=None, model=None, words=True)
    [request] = server.fake.requests
    assert request == pb.TranslateRequest(texts=["x"], target_language="de")
    assert not request.HasField("generation")


@pytest.mark.parametrize("encoding", ["float32", "float16", "uint8"])
@pytest.mark.parametrize("top_k", [None, 2])
def test_maps_are_decoded(client: regard.Client, encoding: MapEncoding, top_k: int | None) -> None:
    result = client.translate("a b c", attention=["cross", "alignment"], encoding=encoding, attention_top_k=top_k)
    alignment = result.alignment
    assert alignment is not None
    assert alignment.values.dtype == np.float32
    assert alignment.shape == alignment.values.shape == (4, 4)
    full = alignment_of(4, 4)
    kept = full if top_k is None else np.where(alignment.values > 0, full, 0)
    np.testing.assert_allclose(alignment.values, kept, atol=full.max() / 255)
    assert alignment.alignment_method == "plain"
    assert alignment.granularity == "token"
    cross = result.best.find_map("cross")
    assert cross is not None
    assert cross.values.shape == (2, 3, 4, 4)
    assert cross.heads == (0, 1, 2)
    assert result.best.links == (regard.Link(source=0, target=2),)


def test_axes_count_words_if_the_call_asks_for_words(client: regard.Client) -> None:
    result = client.translate("über Bücher", attention=True, words=True)
    assert [word.text for word in result.source_words] == ["über", "Bücher", "</s>"]
    assert result.best.words[0] == regard.Word("BÜCHER", regard.Span(0, 6), regard.Span(0, 1), False)
    assert result.alignment is not None
    assert result.alignment.granularity == "word"


def test_summarize_and_caption(server: FakeServer, client: regard.Client, tmp_path: Path) -> None:
    assert client.summarize("long story", style="headline").text == "headline: STORY LONG"
    path = tmp_path / "dot.png"
    Image.new("RGB", (1, 1)).save(path)
    [by_path, by_text, by_bytes] = client.caption([path, str(path), b"12345"])
    assert by_path.text == by_text.text == f"BYTES {path.stat().st_size} OF PICTURE"
    assert by_bytes.text == "BYTES 5 OF PICTURE"
    assert client.caption(b"123").text == "BYTES 3 OF PICTURE"


def test_a_pillow_image_is_sent_upright(server: FakeServer, client: regard.Client) -> None:
    rotated = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be rotated by 90 degrees
    Image.new("RGB", (4, 2)).save(rotated, format="JPEG", exif=exif)
    client.caption(Image.open(rotated))
    [sent] = server.fake.requests[0].images
    assert Image.open(io.BytesIO(sent)).size == (2, 4)


def test_a_stream_yields_events_and_ends_with_the_result(client: regard.Client) -> None:
    events = list(client.stream_translate("a b", to="de", attention=True))
    assert isinstance(events[0], regard.Started)
    assert isinstance(events[-1], regard.Finished)
    made = [event for event in events if isinstance(event, regard.TokenMade)]
    assert len(made) == len(events) - 2 == 3
    assert "".join(event.text_delta for event in made) == events[-1].result.text == "B A"
    assert events[-1].result.alignment is not None


def test_closing_a_stream_cancels_the_call(server: FakeServer, client: regard.Client) -> None:
    stream = client.stream_translate("a b c", to="de")
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert client.translate("still", to="de").text == "STILL"


def test_models_come_from_all_pages(client: regard.Client) -> None:
    everyday, broken = client.models()
    assert (everyday.name, everyday.task, everyday.state, everyday.is_default) == (
        "everyday",
        "translation",
        "ready",
        True,
    )
    assert everyday.attention_kinds == ("cross",)
    assert broken.state_reasons == ("step.onnx: checksum",)
    assert client.model("everyday").version == "2"
    assert client.model("everyday", "1").version == "1"
    with pytest.raises(regard.NotFound, match="there is: everyday"):
        client.model("other")


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("NOT_FOUND", regard.NotFound),
        ("FAILED_PRECONDITION", regard.FailedPrecondition),
        ("DEADLINE_EXCEEDED", regard.DeadlineExceeded),
        ("CANCELLED", regard.Cancelled),
        ("UNAUTHENTICATED", regard.AccessDenied),
        ("PERMISSION_DENIED", regard.AccessDenied),
        ("UNIMPLEMENTED", regard.Unimplemented),
        ("INTERNAL", regard.ServerFault),
        ("DATA_LOSS", regard.ServerFault),
        ("UNAVAILABLE", regard.Unavailable),
    ],
)
def test_each_status_raises_its_error(client: regard.Client, code: str, error: type[regard.CallError]) -> None:
    with pytest.raises(error) as caught:
        client.translate(f"fail:{code}", to="de")
    assert caught.value.code == code
    assert caught.value.reason == f"FAKE_{code}"
    assert caught.value.message == f"asked to fail with {code}"


def test_every_violation_is_listed(client: regard.Client) -> None:
    with pytest.raises(regard.InvalidArgument) as caught:
        client.translate("fail:INVALID_ARGUMENT", to="de")
    assert caught.value.violations == (
        regard.FieldViolation("generation.num_beams", "must be in [1, 16], but is 99"),
        regard.FieldViolation("texts[0]", "is empty"),
    )


def test_an_overload_has_its_retry_delay(client: regard.Client) -> None:
    with pytest.raises(regard.Overloaded) as caught:
        client.translate("busy:1", to="de")
    assert caught.value.retry_after_s == pytest.approx(0.02)


@pytest.mark.parametrize("code", ["UNAVAILABLE", "CANCELLED"])  # gRPC's own, from a server that shuts down
def test_a_call_that_no_server_accepted_is_repeated(server: FakeServer, client: regard.Client, code: str) -> None:
    with pytest.raises(regard.CallError):
        client.translate(f"fail:{code}", to="de")
    assert len(server.fake.requests) == 2


def test_a_call_meets_a_server_that_shuts_down_several_times(server: FakeServer, client: regard.Client) -> None:
    """More often than gRPC repeats it: the channel may not have seen yet that the server ends."""
    assert client.translate("closing:5 x", to="de").text == "X CLOSING:5"
    *_, finished = client.stream_translate("closing:4 x", to="de")
    assert isinstance(finished, regard.Finished)

    async def call() -> str:
        async with regard.AsyncClient(server.target) as own:
            return (await own.translate("closing:6 y", to="de")).text

    assert asyncio.run(call()) == "Y CLOSING:6"


def test_a_bad_request_is_not_repeated(server: FakeServer, client: regard.Client) -> None:
    with pytest.raises(regard.NotFound):
        client.translate("fail:NOT_FOUND", to="de")
    assert len(server.fake.requests) == 1


def test_a_timeout_is_the_deadline_and_infinity_is_none(server: FakeServer) -> None:
    with regard.Client(server.target, timeout=0.1) as client:
        with pytest.raises(regard.DeadlineExceeded):
            client.translate("slow:0.4 x", to="de")
        assert client.translate("slow:0.2 x", to="de", timeout=math.inf).text == "X SLOW:0.2"


def test_no_server_is_unavailable() -> None:
    with regard.Client("127.0.0.1:1") as client, pytest.raises(regard.Unavailable):
        client.translate("x", to="de", timeout=5)


def test_an_invalid_request_is_not_sent(server: FakeServer, client: regard.Client) -> None:
    with pytest.raises(regard.InvalidArgument) as caught:
        client.translate(["fine", "not \ud800 fine"], to="de")
    assert [violation.field for violation in caught.value.violations] == ["texts[1]"]
    with pytest.raises(regard.InvalidArgument) as caught:
        client.translate("x", to="de", num_beams=2**40, attention=["alignment", "nonsense"])  # type: ignore[list-item]
    assert [violation.field for violation in caught.value.violations] == ["generation.num_beams", "attention.kinds[1]"]
    with pytest.raises(TypeError, match="num_beems"):
        client.translate("x", to="de", num_beems=5)  # type: ignore[call-overload]
    assert server.fake.requests == []


def test_every_call_sends_the_metadata(server: FakeServer) -> None:
    with regard.Client(server.target, metadata=[("authorization", "Bearer secret")]) as client:
        client.translate("x", to="de")
    assert server.fake.metadata[0]["authorization"] == "Bearer secret"


def test_maps_above_grpcs_default_size_arrive(client: regard.Client) -> None:
    result = client.translate("w " * 600, attention=["cross"])
    cross = result.best.find_map("cross")
    assert cross is not None
    assert cross.values.nbytes > 8 * 2**20


async def test_the_async_client_returns_the_same(server: FakeServer) -> None:
    async with regard.AsyncClient(server.target) as client:
        results = await asyncio.gather(*[client.translate(f"meet:20 {i}", to="de") for i in range(20)])
        assert [result.text for result in results] == [f"{i} MEET:20" for i in range(20)]
        assert [result.text for result in await client.translate(["a b", "c"], to="de")] == ["B A", "C"]
        assert (await client.summarize("a", style="subject")).text == "subject: A"
        assert (await client.caption(b"12")).text == "BYTES 2 OF PICTURE"
        assert [model.name for model in await client.models()] == ["everyday", "broken"]
        assert (await client.model("everyday")).name == "everyday"
        events = [event async for event in client.stream_translate("a b", to="de")]
        assert isinstance(events[-1], regard.Finished)
    assert server.fake.most_at_once == 20


async def test_the_async_client_raises_the_same(server: FakeServer) -> None:
    async with regard.AsyncClient(server.target) as client:
        with pytest.raises(regard.InvalidArgument) as caught:
            await client.translate("fail:INVALID_ARGUMENT", to="de")
        assert len(caught.value.violations) == 2
        with pytest.raises(regard.DeadlineExceeded):
            await client.translate("wait", to="de", timeout=0.1)


def test_an_asyncio_client_may_be_made_before_its_event_loop_and_outlive_it(server: FakeServer) -> None:
    client = regard.AsyncClient(server.target)
    assert [asyncio.run(_text(client)) for _ in range(2)] == ["A", "A"]
    with pytest.raises(RuntimeError, match=r"AsyncClient is for a running event loop; regard.Client needs none"):
        client.stream_translate("a", to="de")
    asyncio.run(client.close())


async def _text(client: regard.AsyncClient) -> str:
    return (await client.translate("a", to="de")).text


async def test_an_asyncio_client_belongs_to_one_running_loop(server: FakeServer) -> None:
    async with regard.AsyncClient(server.target) as client:
        assert await _text(client) == "A"
        with pytest.raises(RuntimeError, match="belongs to another event loop; make one for each"):
            await asyncio.to_thread(asyncio.run, _text(client))
        assert await _text(client) == "A"


async def test_a_closed_client_says_so(server: FakeServer) -> None:
    client, other = regard.Client(server.target), regard.AsyncClient(server.target)
    client.close()
    await other.close()
    await other.close()
    calls: list[Any] = [
        lambda: client.translate("a", to="de"),
        lambda: list(client.stream_translate("a", to="de")),
        lambda: client.translate_document(b"a", "de", media_type="text"),
        lambda: list(client.map(["a"], "de")),
        lambda: other.stream_translate("a", to="de"),
    ]
    for call in calls:
        with pytest.raises(RuntimeError, match="is closed; make another one"):
            call()
    with pytest.raises(RuntimeError, match="is closed; make another one"):
        await other.translate("a", to="de")
