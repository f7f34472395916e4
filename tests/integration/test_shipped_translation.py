"""The shipped translator over a real port: text, alignment, and bad input."""

import asyncio
import json
import threading
from collections.abc import Iterator
from itertools import count
from typing import Any

import grpc
import numpy as np
import pytest
from click.testing import CliRunner, Result

import regard
from regard.calls.options import TranslateOptions
from regard.cli import main
from regard.names import AlignmentMethod
from regard.v1 import regard_pb2 as pb
from regard_service.app.server import Server
from regard_service.engine.runtime.runner import Runner
from tests.metrics import metric
from tests.waiting import PATIENCE_S, wait_until

SUBJECTS = ("My sister", "The old man next door", "Nobody", "The teacher of our youngest son", "A cat")
ENDINGS = (
    "sleeps.",
    "likes coffee without sugar.",
    "has lost the key to the house in the forest.",
    "is waiting for the bus, although it is late and it has been raining since the early morning.",
    "said: “Could you tell me where the library is?”",
)
FIFTY = [f"{subject} {ending}" for subject in SUBJECTS for ending in ENDINGS] + [
    f"Do you think that {subject.lower()} {ending}" for subject in SUBJECTS for ending in ENDINGS
]
LANGUAGES = ("de", "fr", "es")


def wait_until_idle(server: Server) -> None:
    wait_until(
        lambda: metric(server.http_port, "regard_live_slots") == metric(server.http_port, "regard_queue_depth") == 0
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_comes_with_its_tokens_and_alignment(client: regard.Client, language: str) -> None:
    text = "Could you tell me where the library is?"
    result = client.translate(text, to=language, attention=["alignment", "cross"])
    assert result.model == "everyday"
    assert not result.truncated
    best = result.best
    assert best.finish_reason == "end"
    assert result.alignment is not None
    assert result.alignment.values.shape == (len(best.tokens), len(result.source_tokens))
    np.testing.assert_allclose(result.alignment.values.sum(-1), 1, atol=1e-5)
    cross = best.find_map("cross")
    assert cross is not None
    assert cross.values.shape[2:] == result.alignment.values.shape
    np.testing.assert_allclose(cross.values.sum(-1), 1, atol=1e-5)
    joined = "".join(text[t.span.start : t.span.end] for t in result.source_tokens if t.span)
    assert joined == text.replace(" ", "")
    assert "".join(best.text[t.span.start : t.span.end] for t in best.tokens if t.span) == best.text.replace(" ", "")
    assert [t.special for t in result.source_tokens].count(True) == 2


@pytest.mark.parametrize("beams", [1, 4])
def test_words_keep_row_sums_and_spans(client: regard.Client, beams: int) -> None:
    result = client.translate(FIFTY[9], to="fr", attention=["alignment"], words=True, num_beams=beams)
    assert result.alignment is not None
    assert result.alignment.granularity == "word"
    assert result.alignment.shape == (len(result.best.words), len(result.source_words))
    np.testing.assert_allclose(result.alignment.values.sum(-1), 1, atol=1e-5)
    for word in result.best.words:
        if word.span:
            assert word.text == result.text[word.span.start : word.span.end]


@pytest.mark.parametrize("beams", [1, 4])
async def test_alone_equals_batched(shipped_server: Server, client: regard.Client, beams: int) -> None:
    """Every token of a result is independent of the batch."""
    options: TranslateOptions = {"num_beams": beams, "max_new_tokens": 60}
    alone = [client.translate(text, to=LANGUAGES[i % 3], **options) for i, text in enumerate(FIFTY)]
    async with regard.AsyncClient(f"127.0.0.1:{shipped_server.grpc_port}") as many:
        together = await asyncio.gather(
            *(many.translate(text, to=LANGUAGES[i % 3], **options) for i, text in enumerate(FIFTY))
        )
    for one, other in zip(alone, together, strict=True):
        assert [t.id for t in one.best.tokens] == [t.id for t in other.best.tokens]
        assert one.best.score == pytest.approx(other.best.score, abs=1e-4)


@pytest.mark.parametrize("method", ["plain", "shifted"])
@pytest.mark.parametrize("beams", [1, 4])
def test_a_stream_ends_with_the_unary_result(client: regard.Client, beams: int, method: AlignmentMethod) -> None:
    options: TranslateOptions = {"num_beams": beams, "attention": ["alignment"], "alignment_method": method}
    unary = client.translate(FIFTY[8], to="de", **options)
    events = list(client.stream_translate(FIFTY[8], to="de", **options))
    tokens = [event for event in events if isinstance(event, regard.TokenMade)]
    assert [event.index for event in tokens] == list(range(len(unary.best.tokens)))
    assert "".join(event.text_delta for event in tokens) == unary.text
    assert [event.token.id for event in tokens] == [token.id for token in unary.best.tokens]
    rows = np.concatenate([event.attention[0].values for event in tokens])
    assert unary.alignment is not None
    np.testing.assert_allclose(rows, unary.alignment.values, atol=1e-5)
    finished = events[-1]
    assert isinstance(finished, regard.Finished)
    assert finished.result.text == unary.text


def test_n_best_is_sorted_and_distinct(client: regard.Client) -> None:
    result = client.translate(FIFTY[2], to="es", num_beams=4, num_return_sequences=4)
    scores = [h.score for h in result.hypotheses]
    assert scores == sorted(scores, reverse=True)
    assert len({tuple(t.id for t in h.tokens) for h in result.hypotheses}) == 4


def test_sampling_repeats_with_its_seed(client: regard.Client) -> None:
    first, again = (client.translate(FIFTY[3], to="de", temperature=1.5, seed=7).text for _ in range(2))
    others = {client.translate(FIFTY[3], to="de", temperature=1.5, seed=seed).text for seed in range(8)}
    assert first == again
    assert len(others) > 1


@pytest.mark.parametrize(
    "text",
    [
        "</s> <de> <0x41>",
        "日本語 😀 مرحبا",
        "a\u0000b\u0007c",
        "x" * 3000,
        "\U0001f468\u200d\U0001f469\u200d\U0001f467 hi",
    ],
    ids=["special tokens", "scripts", "control characters", "one long word", "joined emoji"],
)
def test_odd_text_is_translated_like_any_other(client: regard.Client, text: str) -> None:
    result = client.translate(text, to="de", max_new_tokens=10, truncation="truncate", attention=True, raw=True)
    assert [t.special for t in result.source_tokens].count(True) == 2
    assert result.truncated == (result.num_truncated_tokens > 0)
    assert result.alignment is not None


BAD = [
    ({"texts": "", "raw": True}, "InvalidArgument", r"texts\[0\].*empty"),
    ({"texts": " \n\t", "raw": True}, "InvalidArgument", r"texts\[0\].*white space"),
    ({"texts": ["fine", ""], "raw": True}, "InvalidArgument", r"texts\[1\]"),
    ({"texts": []}, "InvalidArgument", r"texts.*at least 1"),
    ({"texts": "word " * 600, "raw": True}, "InvalidArgument", r"texts\[0\].*takes at most"),
    ({"texts": "Hi. " + "word " * 600, "truncation": "reject"}, "InvalidArgument", r"texts\[0\].*takes at most"),
    ({"texts": "hi", "protected_patterns": ["ok", "("]}, "InvalidArgument", r"text_options.protected_patterns\[1\]"),
    ({"texts": "hi", "protected_spans": [(0, 1, 3)]}, "InvalidArgument", r"protected_spans\[0\].span.*2 characters"),
    ({"texts": "hi", "protected_spans": [(1, 0, 0)]}, "InvalidArgument", r"protected_spans\[0\].text.*1 texts"),
    ({"texts": "a" * 30_000}, "InvalidArgument", r"30000 characters.*limit is 20000"),
    ({"texts": ["hi"] * 200}, "InvalidArgument", r"texts.*200.*128|texts.*128.*200"),
    ({"texts": "hi", "to": "xx"}, "NotFound", "xx.*everyday"),
    ({"texts": "hi", "to": ""}, "InvalidArgument", "target_language"),
    ({"texts": "hi", "model": "nope"}, "NotFound", "nope.*everyday"),
    ({"texts": "hi", "source_language": "fr"}, "NotFound", "fr"),
    ({"texts": "hi", "num_beams": 17}, "InvalidArgument", r"num_beams.*\[1, 16\].*17"),
    ({"texts": "hi", "num_beams": 2, "num_return_sequences": 3}, "InvalidArgument", "num_return_sequences"),
    ({"texts": "hi", "max_new_tokens": 100_000}, "InvalidArgument", "max_new_tokens.*100000"),
    ({"texts": "hi", "length_penalty": float("nan")}, "InvalidArgument", "length_penalty"),
    ({"texts": "hi", "attention": ["cross"], "layers": [99]}, "InvalidArgument", r"layers\[0\].*99"),
    ({"texts": "hi", "attention": ["encoder_self"], "heads": [4]}, "InvalidArgument", r"heads\[0\].*4 heads"),
]


@pytest.mark.parametrize(("arguments", "kind", "message"), BAD)
def test_bad_input_gets_a_clear_error(
    client: regard.Client, arguments: dict[str, Any], kind: str, message: str
) -> None:
    options = {"to": "de", **arguments}
    with pytest.raises(getattr(regard, kind), match=f"(?s){message}"):
        client.translate(options.pop("texts"), **options)
    assert client.translate("Thank you.", to="de").text


def test_every_violation_is_listed(client: regard.Client) -> None:
    with pytest.raises(regard.InvalidArgument) as raised:
        client.translate(["x" * 20_001, "fine"], to="de", num_beams=99, top_p=7.0)
    fields = {violation.field for violation in raised.value.violations}
    assert {"texts[0]", "generation.num_beams", "generation.top_p"} <= fields


def test_text_that_is_not_utf8_is_refused(shipped_server: Server, client: regard.Client) -> None:
    method = "/regard.v1.AttentionService/Translate"
    with grpc.insecure_channel(f"127.0.0.1:{shipped_server.grpc_port}") as channel:
        call = channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)
        for raw in (b"\x12\x02\xff\xfe\x22\x02de", b"\xff\xff\xff\xff\xff", b"\x12\x7fabc"):
            with pytest.raises(grpc.RpcError) as raised:
                call(raw, timeout=PATIENCE_S)
            assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert client.translate("Thank you.", to="de").text


def test_a_client_that_leaves_frees_its_slots(
    shipped_server: Server, client: regard.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the tenth step the engine waits until the client has left: a slow client must not find all decoded."""
    has_left, steps, step = threading.Event(), count(1), Runner.step

    def held(self: Runner, *arguments: Any) -> Any:
        assert next(steps) <= 10 or has_left.wait(PATIENCE_S)
        return step(self, *arguments)

    monkeypatch.setattr(Runner, "step", held)
    handled = 'grpc_server_handled_total{grpc_code="Canceled"'
    cancelled = 'regard_requests_total{model="everyday",outcome="cancelled"}'
    before, num_handled = metric(shipped_server.http_port, cancelled), metric(shipped_server.http_port, handled)
    stream = client.stream_translate(FIFTY[3], to="de", min_new_tokens=200, max_new_tokens=250)
    for _ in range(3):
        next(stream)
    stream.close()  # type: ignore[attr-defined]  # declared as an iterator, is a generator
    wait_until(lambda: metric(shipped_server.http_port, handled) > num_handled)
    has_left.set()
    wait_until_idle(shipped_server)
    assert metric(shipped_server.http_port, cancelled) == before + 1


def test_a_deadline_frees_its_slots(shipped_server: Server, client: regard.Client) -> None:
    with pytest.raises(regard.DeadlineExceeded):
        client.translate(FIFTY[3], to="de", min_new_tokens=250, max_new_tokens=250, num_beams=8, timeout=0.05)
    wait_until_idle(shipped_server)
    assert client.translate("Thank you.", to="de").text


def test_a_long_text_frees_its_slots_at_its_deadline(shipped_server: Server, client: regard.Client) -> None:
    """While the model's pace is unknown the call runs until its deadline; later it is refused at once."""
    with pytest.raises((regard.DeadlineExceeded, regard.Overloaded)):
        client.translate([FIFTY[3]] * 60, to="de", min_new_tokens=250, max_new_tokens=250, num_beams=8, timeout=0.15)
    wait_until_idle(shipped_server)
    assert client.translate("Thank you.", to="de").text


@pytest.fixture
def stub(shipped_server: Server) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{shipped_server.grpc_port}") as channel:
        yield channel


def test_every_model_has_a_health_status(stub: grpc.Channel) -> None:
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    health = health_pb2_grpc.HealthStub(stub)
    for service in ("", "regard.v1.AttentionService", "model/everyday"):
        response = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=PATIENCE_S)
        assert response.status == health_pb2.HealthCheckResponse.SERVING


def test_models_are_described(client: regard.Client) -> None:
    model = client.model("everyday")
    assert set(LANGUAGES) <= set(model.target_languages)
    assert model.is_default
    assert model.precision == "int8"
    assert model.message.task == pb.TASK_TRANSLATION
    assert model.message.provenance.data_license


def test_the_command_says_on_standard_error_that_an_output_was_cut(shipped_server: Server) -> None:
    def run(text: str, *options: str) -> Result:
        server = ("--server", f"127.0.0.1:{shipped_server.grpc_port}")
        return CliRunner().invoke(main, ["translate", text, "--to", "de", *options, *server])

    short, long = "Yes.", "The old man next door has lost the key to the house in the forest."
    warning = "the output was cut after 4 tokens (max_new_tokens)"
    one = run(long, "--max-new-tokens", "4")
    assert one.exit_code == 0
    assert f"regard: {warning}" in one.stderr.splitlines()
    assert "cut" not in one.stdout
    assert f"regard: segment 2: {warning}" in run(f"{short} {long}", "--max-new-tokens", "4").stderr.splitlines()
    assert run(long).stderr == ""
    as_json = run(long, "--max-new-tokens", "4", "--json")  # which has the warnings itself
    assert warning in [each["message"] for each in json.loads(as_json.stdout)["warnings"]]
    assert as_json.stderr == ""
