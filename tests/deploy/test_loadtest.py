"""The load generator: what it asks, what it measures, and that it runs against a real server."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from pydantic import ValidationError

from benchmarks.loadtest.http_apis import (
    HTTP_APIS,
    HttpApi,
    HttpRequest,
    Translation,
    WrongAnswer,
    http_request,
    outputs_of,
)
from benchmarks.loadtest.load_picture import draw
from benchmarks.loadtest.load_report import LoadReport
from benchmarks.loadtest.runner import Outcome, Runner
from benchmarks.loadtest.scenario import Poisson, Scenario
from benchmarks.loadtest.traffic import calls
from deploy.loadtest.__main__ import changed
from regard.v1 import regard_pb2 as pb
from regard.v1 import regard_pb2_grpc as stubs
from tests.deploy.tools import DEPLOY, NUM_LOCUST_REQUESTS, ROOT
from tests.system.served import Served, served
from tests.waiting import PATIENCE_S, until

LOADTEST = DEPLOY / "loadtest"
EVERYDAY = LOADTEST / "scenarios" / "everyday.toml"
SHIPPED = sorted((LOADTEST / "scenarios").glob("*.toml"))
DOORS = ("libretranslate", "deepl", "open-inference", "hugging-face")


def scenario(tmp_path: Path, **fields: Any) -> Scenario:
    texts = tmp_path / "texts.txt"
    texts.write_text("one\ntwo\n\nthree\n")
    part = {"name": "p", "task": "translate", "inputs": texts, **fields.pop("part", {})}
    defaults = {"name": "s", "duration_s": 1.0, "warmup_s": 0.2, "timeout_s": PATIENCE_S, "parts": [part]}
    return Scenario.model_validate({"arrivals": {"process": "poisson", "rate_per_s": 100.0}, **defaults, **fields})


@pytest.mark.parametrize("file", SHIPPED, ids=lambda path: path.stem)
def test_shipped_scenarios_can_be_asked(file: Path) -> None:
    found = Scenario.read(file)
    assert {call.part for call in islice(calls(found), 200)} == {part.name for part in found.parts}


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"api": "deepl", "to": ["de"], "stream": True}, "calls of deepl, task translate, have no stream"),
        ({"api": "deepl", "to": ["de"], "task": "summarize"}, "have no task summarize"),
        ({"api": "deepl", "to": ["de"], "num_beams": 2}, "deepl has num_beams 1 and 4 only"),
        ({"api": "deepl", "to": ["de"], "model": "m"}, "have no model"),
        ({"api": "deepl"}, "deepl needs the key to"),
        ({"api": "libretranslate", "to": ["de"], "num_beams": 1, "attention_share": 0.5}, "attention_share, num_beams"),
        ({"api": "hugging_face", "to": ["de"]}, "hugging_face needs the key model"),
        ({"api": "openai", "task": "encode"}, "openai needs the key model"),
        ({"api": "openai", "model": "m"}, "calls of openai, task translate, have no task translate"),
        ({"task": "encode", "stream": True, "num_beams": 1}, "calls of grpc, task encode, have no stream, num_beams"),
        ({"task": "answer"}, "task answer needs the key question"),
        ({"task": "detect", "question": "why?"}, "calls of grpc, task detect, have no question"),
        ({"task": "summarize", "to": ["de"]}, "have no source and to"),
    ],
)
def test_a_key_that_would_have_no_effect_is_an_error(tmp_path: Path, part: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        scenario(tmp_path, part=part)


@pytest.mark.parametrize("api", HTTP_APIS)
@pytest.mark.parametrize("answer", [b"", b"{}", b"[]", b"null", b'"text"', b'[{"translation_text": ""}]'])
def test_what_is_no_translation_is_a_wrong_answer(api: HttpApi, answer: bytes) -> None:
    request = http_request(api, Translation(["one"], "en", "de", "everyday", 4))
    with pytest.raises(WrongAnswer):
        outputs_of(request, answer)


def test_a_misspelt_key_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="rates_per_s"):
        scenario(tmp_path, arrivals={"process": "poisson", "rate_per_s": 1.0, "rates_per_s": 1.0})


def test_the_mix_is_drawn_by_weight_and_seed(tmp_path: Path) -> None:
    texts = tmp_path / "texts.txt"
    often = {"name": "often", "weight": 3, "task": "translate", "inputs": texts, "to": ["de", "fr"], "num_beams": 2}
    pages = {"name": "pages", "task": "summarize", "inputs": texts, "inputs_per_call": 5, "attention_share": 0.5}
    asked = scenario(tmp_path, parts=[often, pages])
    drawn = list(islice(calls(asked), 1000))
    assert drawn == list(islice(calls(asked), 1000))
    assert drawn != list(islice(calls(asked.model_copy(update={"seed": 2})), 1000))
    counts = Counter((call.method, call.has_alignment) for call in drawn)
    assert counts["Translate", False] == pytest.approx(750, abs=60)
    assert counts["Summarize", True] == pytest.approx(125, abs=40)
    translation = next(call.request for call in drawn if call.part == "often")
    assert isinstance(translation, pb.TranslateRequest)
    assert translation.generation.num_beams == 2
    assert translation.target_language in ("de", "fr")
    assert set(translation.texts) <= {"one", "two", "three"}
    summary = next(call.request for call in drawn if call.part == "pages")
    assert isinstance(summary, pb.SummarizeRequest)
    assert len(summary.texts) == 5


def test_pictures_are_sent_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    (tmp_path / "notes.txt").write_text("no picture")
    asked = scenario(tmp_path, part={"task": "caption", "inputs": tmp_path, "stream": True})
    call = next(calls(asked))
    assert (call.method, call.request) == ("StreamCaption", pb.StreamCaptionRequest(image=b"\x89PNG"))


def test_models_without_a_decoder_get_the_requests_of_their_tasks(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    pictures = {"inputs": tmp_path, "inputs_per_call": 2}
    both = [b"\x89PNG"] * 2
    asked = [
        ({"task": "detect", **pictures}, "Detect", pb.DetectRequest(images=both)),
        ({"task": "classify", **pictures}, "Classify", pb.ClassifyRequest(images=both)),
        (
            {"task": "answer", "question": "why?", **pictures},
            "Answer",
            pb.AnswerRequest(images=both, questions=["why?"]),
        ),
        ({"task": "fill_mask", "model": "m"}, "FillMask", pb.FillMaskRequest(model="m", texts=["three"])),
    ]
    for part, method, request in asked:
        call = next(calls(scenario(tmp_path, part=part)))
        assert (call.method, call.request) == (method, request)


class Echo(stubs.AttentionServiceServicer):
    """Answers at once, but refuses "two" and never answers the model "slow".

    Attributes:
        stall_s: for how long the 60th call holds up everything.
        least_in_flight: calls are answered once this many have been in flight at a time.
    """

    def __init__(self) -> None:
        self.stall_s = 0.0
        self.least_in_flight = 0
        self.most_in_flight = 0
        self.num_in_flight = 0
        self.num_calls = 0
        self.num_left = 0

    async def Translate(self, request: pb.TranslateRequest, context: Any) -> pb.TranslateResponse:  # noqa: N802
        self.num_calls += 1
        self.num_in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.num_in_flight)
        try:
            return await self._answer(request, context)
        finally:
            self.num_in_flight -= 1

    async def _answer(self, request: pb.TranslateRequest, context: Any) -> pb.TranslateResponse:
        await until(lambda: self.most_in_flight >= self.least_in_flight)
        if self.num_calls == 60:
            time.sleep(self.stall_s)  # noqa: ASYNC251  the generator, in the same loop, is held up too
        if "slow" in request.model:
            try:
                await asyncio.Event().wait()
            finally:
                self.num_left += 1
        if "two" in request.texts:
            retry = error_details_pb2.RetryInfo()
            retry.retry_delay.FromMilliseconds(1500)
            status = status_pb2.Status(code=8, message="no")
            status.details.add().Pack(retry)
            trailers = (("grpc-status-details-bin", status.SerializeToString()),)
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "no", trailers)
        hypothesis = pb.Hypothesis(tokens=[pb.TargetToken()] * 3)
        return pb.TranslateResponse(results=[pb.Result(hypotheses=[hypothesis])] * len(request.texts))

    async def Encode(self, request: pb.EncodeRequest, context: Any) -> pb.EncodeResponse:  # noqa: N802
        results = [pb.EncodeResult(vector=[] if text == "two" else [1.0]) for text in request.texts]
        return pb.EncodeResponse(results=results)

    async def Classify(self, request: pb.ClassifyRequest, context: Any) -> pb.ClassifyResponse:  # noqa: N802
        label = pb.LabelScore(label="a", probability=1.0)
        return pb.ClassifyResponse(results=[pb.ClassifyResult(labels=[label])] * len(request.texts))

    async def StreamTranslate(  # noqa: N802
        self, request: pb.StreamTranslateRequest, context: Any
    ) -> AsyncIterator[pb.StreamTranslateResponse]:
        yield pb.StreamTranslateResponse(started=pb.StartedEvent())
        yield pb.StreamTranslateResponse(token=pb.TokenEvent())
        result = pb.Result(hypotheses=[pb.Hypothesis(tokens=[pb.TargetToken()])])
        yield pb.StreamTranslateResponse(finished=pb.FinishedEvent(result=result))


@pytest.fixture
async def echo() -> AsyncIterator[tuple[Echo, str]]:
    server, servicer = grpc.aio.server(), Echo()  # type: ignore[abstract]  # other calls are UNIMPLEMENTED
    stubs.add_AttentionServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield servicer, f"127.0.0.1:{port}"
    await server.stop(None)


async def test_a_stall_counts_for_every_call_that_was_due_in_it(tmp_path: Path, echo: tuple[Echo, str]) -> None:
    """A latency that counted from sending would leave out how long the stall kept these calls from being sent."""
    echo[0].stall_s = 0.5
    outcomes = await Runner(scenario(tmp_path), echo[1]).run()
    held_up = [outcome for outcome in outcomes if outcome.sent - outcome.due > 0.1]
    assert len(held_up) >= 25, "100 calls a second were due, and 40 of them in the first 400 ms of the stall"
    assert all(outcome.latency_s == outcome.done - outcome.due > 0.1 for outcome in held_up)


async def test_calls_arrive_as_a_poisson_process_whether_or_not_they_are_answered(
    tmp_path: Path, echo: tuple[Echo, str]
) -> None:
    outcomes = await Runner(scenario(tmp_path, duration_s=1.5), echo[1]).run()
    due = sorted(outcome.due for outcome in outcomes)
    assert -0.2 <= due[0] < 0 < due[-1] < 1.5
    assert len(due) == pytest.approx(170, abs=45)
    gaps = [b - a for a, b in pairwise(due)]
    mean = sum(gaps) / len(gaps)
    variance = sum((gap - mean) ** 2 for gap in gaps) / len(gaps)
    assert 0.4 < variance / mean**2 < 2.0, "1 for exponential gaps, 0 for even ones"


async def test_a_closed_loop_has_one_call_per_client_in_flight(tmp_path: Path, echo: tuple[Echo, str]) -> None:
    """None is answered before all three are there; afterwards no client sends before it has thought."""
    echo[0].least_in_flight = 3
    arrivals = {"process": "closed", "clients": 3, "think_s": 0.05}
    outcomes = await Runner(scenario(tmp_path, duration_s=0.5, arrivals=arrivals), echo[1]).run()
    assert echo[0].most_in_flight == 3
    assert 3 <= len(outcomes) <= 3 * 0.7 / 0.05 + 3
    assert Counter(outcome.code for outcome in outcomes).keys() == {"OK", "RESOURCE_EXHAUSTED"}


async def test_a_refusal_says_when_to_come_back(tmp_path: Path, echo: tuple[Echo, str]) -> None:
    outcomes = await Runner(scenario(tmp_path, duration_s=0.3), echo[1]).run()
    delays = {outcome.code: outcome.retry_after_s for outcome in outcomes}
    assert delays == {"OK": None, "RESOURCE_EXHAUSTED": 1.5}
    assert all(outcome.is_expected == (outcome.code == "OK") for outcome in outcomes)


async def test_callers_that_give_up_are_no_failures(tmp_path: Path, echo: tuple[Echo, str]) -> None:
    """Had they waited longer, the code would be that of the scenario's timeout."""
    outcomes = await Runner(
        scenario(tmp_path, duration_s=0.3, part={"model": "slow", "cancel_after_s": 0.02}), echo[1]
    ).run()
    assert {(outcome.code, outcome.is_expected) for outcome in outcomes} == {("CANCELLED", True)}
    assert all(outcome.done - outcome.sent >= 0.02 for outcome in outcomes)
    # On a busy machine, calls are given up before the server has them.
    await until(lambda: echo[0].num_left == echo[0].num_calls)


async def test_what_should_be_refused_and_is_answered_is_wrong(tmp_path: Path, echo: tuple[Echo, str]) -> None:
    outcomes = await Runner(scenario(tmp_path, duration_s=0.3, part={"expected": "RESOURCE_EXHAUSTED"}), echo[1]).run()
    assert {(o.code, o.is_expected) for o in outcomes} == {("WRONG", False), ("RESOURCE_EXHAUSTED", True)}


async def test_a_stream_has_a_first_token(tmp_path: Path, echo: tuple[Echo, str]) -> None:
    outcomes = await Runner(scenario(tmp_path, duration_s=0.3, part={"stream": True}), echo[1]).run()
    assert {outcome.code for outcome in outcomes} == {"OK"}
    assert all(o.first_token is not None and o.sent < o.first_token <= o.done for o in outcomes)


async def test_an_answer_without_what_was_asked_for_is_wrong(tmp_path: Path, echo: tuple[Echo, str]) -> None:
    outcomes = await Runner(scenario(tmp_path, duration_s=0.3, part={"attention_share": 1.0}), echo[1]).run()
    assert {outcome.code for outcome in outcomes} == {"WRONG", "RESOURCE_EXHAUSTED"}


def test_vectors_over_http_are_openais(tmp_path: Path) -> None:
    asked = scenario(tmp_path, part={"api": "openai", "task": "encode", "model": "m", "inputs_per_call": 2})
    call = next(calls(asked))
    assert isinstance(call.request, HttpRequest)
    assert call.request.path == "/openai/v1/embeddings"
    assert json.loads(call.request.body)["model"] == "m"
    answer = {"data": [{"embedding": "AAAAPw=="}, {"embedding": "AACAPw=="}]}
    assert outputs_of(call.request, json.dumps(answer).encode()) == ["AAAAPw==", "AACAPw=="]
    with pytest.raises(WrongAnswer, match="2 outputs are due"):
        outputs_of(call.request, b'{"data": [{"embedding": [1]}]}')


async def test_models_without_a_decoder_have_vectors_or_labels(tmp_path: Path, echo: tuple[Echo, str]) -> None:
    vectors = await Runner(scenario(tmp_path, duration_s=0.3, part={"task": "encode"}), echo[1]).run()
    assert {outcome.code for outcome in vectors} == {"OK", "WRONG"}, 'the text "two" gets no vector'
    labels = await Runner(scenario(tmp_path, duration_s=0.3, part={"task": "classify"}), echo[1]).run()
    assert {(outcome.code, outcome.num_tokens) for outcome in labels} == {("OK", 0)}


@asynccontextmanager
async def answering(answers: Mapping[str, bytes]) -> AsyncIterator[tuple[str, list[int]]]:
    """A server of HTTP that answers by the text to translate; yields its address and the ports of its callers.

    An answer of b"" closes the connection; a text without one gets no answer.
    """
    ports: list[int] = []
    num_ended = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal num_ended
        ports.append(writer.get_extra_info("peername")[1])
        with suppress(EOFError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(head.partition("content-length: ")[2].split()[0])
                answer = answers.get(json.loads(await reader.readexactly(length))["q"])
                if answer == b"":
                    break
                writer.write(answer or b"")
        writer.close()
        num_ended += 1

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", ports
        await until(lambda: num_ended == len(ports))  # its callers have left


def http_answer(status: str, body: object, header: str = "x: y") -> bytes:
    content = json.dumps(body).encode()
    return f"HTTP/1.1 {status}\r\n{header}\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


async def test_calls_over_http_end_with_a_status(tmp_path: Path) -> None:
    """Connections that are free are used again."""
    answers = {
        "one": http_answer("200 OK", {"translatedText": "eins"}),
        "two": http_answer("429 Too Many Requests", {"error": "full"}, "Retry-After: 2"),
        "three": b"",
    }
    part = {"api": "libretranslate", "to": ["de"]}
    closed = {"process": "closed", "clients": 2, "think_s": 0.01}
    asked = scenario(tmp_path, duration_s=0.5, warmup_s=0.0, part=part, arrivals=closed)
    async with answering(answers) as (address, ports):
        outcomes = await Runner(asked, "unused:1", address).run()
    by_code = {outcome.code: outcome.retry_after_s for outcome in outcomes}
    assert by_code == {"OK": None, "429": 2.0, "UNAVAILABLE": None}
    assert all(outcome.is_expected == (outcome.code == "OK") for outcome in outcomes)
    num_broken = sum(outcome.code == "UNAVAILABLE" for outcome in outcomes)
    assert len(ports) <= num_broken + 2 < len(outcomes)


async def test_what_is_refused_over_http_as_it_should_be_is_expected(tmp_path: Path) -> None:
    part = {"api": "libretranslate", "to": ["de"], "expected": "429"}
    answers = {
        "one": http_answer("429 Too Many Requests", {}),
        "two": http_answer("200 OK", {"translatedText": "zwei"}),
        "three": http_answer("200 OK", {"translatedText": ""}),
    }
    async with answering(answers) as (address, _):
        outcomes = await Runner(scenario(tmp_path, duration_s=0.5, part=part), "unused:1", address).run()
    assert {(outcome.code, outcome.is_expected) for outcome in outcomes} == {("429", True), ("WRONG", False)}


async def test_calls_over_http_without_an_answer_are_given_up(tmp_path: Path) -> None:
    part = {"api": "libretranslate", "to": ["de"]}
    async with answering({}) as (address, _):
        asked = scenario(tmp_path, duration_s=0.2, part=part | {"cancel_after_s": 0.02})
        given_up = await Runner(asked, "unused:1", address).run()
        late = await Runner(scenario(tmp_path, duration_s=0.2, timeout_s=0.02, part=part), "unused:1", address).run()
    assert {(outcome.code, outcome.is_expected) for outcome in given_up} == {("CANCELLED", True)}
    assert {(outcome.code, outcome.is_expected) for outcome in late} == {("DEADLINE_EXCEEDED", False)}


def outcomes() -> list[Outcome]:
    """A hundred calls of 1 to 100 ms, one of the warm-up, one that failed and one that was refused as it should be."""
    good = [Outcome("p", i / 100, i / 100, i / 100 + (i + 1) / 1000, None, "OK", 2, True) for i in range(100)]
    warming = Outcome("p", -0.1, 0, 9, None, "OK", 2, True)
    failed = Outcome("p", 0.5, 0.5, 0.6, None, "UNAVAILABLE", 0, False)
    refused = Outcome("p", 0.5, 0.5, 0.6, None, "NOT_FOUND", 0, True)
    return [*good, warming, failed, refused]


def test_a_report_counts_what_was_due_in_time(tmp_path: Path) -> None:
    result = LoadReport.results(scenario(tmp_path), outcomes())["total"]
    assert (result.num_calls, result.num_expected, result.num_failed) == (102, 1, 1)
    total = result.model_dump()
    assert total["codes"] == {"NOT_FOUND": 1, "OK": 100, "UNAVAILABLE": 1}
    assert (total["calls_per_s"], total["tokens_per_s"]) == (100.0, 200.0)
    assert total["latency"]["values"]["p50"] == pytest.approx(50.5)
    assert total["latency"]["values"]["most"] == pytest.approx(100)


def test_a_run_can_be_drawn(tmp_path: Path) -> None:
    draw(scenario(tmp_path), outcomes(), tmp_path / "run.svg")
    text = (tmp_path / "run.svg").read_text()
    assert text.startswith("<?xml")
    assert len(text) > 10_000


def test_the_command_line_changes_what_fits(tmp_path: Path) -> None:
    faster = changed(scenario(tmp_path), 9.0, 7.0, None)
    assert (faster.duration_s, faster.arrivals) == (9.0, Poisson(process="poisson", rate_per_s=7.0))
    with pytest.raises(Exception, match="has no clients"):
        changed(scenario(tmp_path), None, None, 3)


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served("--models=everyday,lamps,shapes", *(f"--{door}-door" for door in DOORS)) as server:
        yield server


def test_a_real_server_under_a_shipped_scenario(server: Served, tmp_path: Path) -> None:
    report, picture = tmp_path / "report.json", tmp_path / "run.png"
    command = [sys.executable, "-m", "deploy.loadtest", str(EVERYDAY)]
    options = ["--server", server.target, "--duration=2", "--rate=20", f"--json={report}", f"--picture={picture}"]
    done = subprocess.run(
        [*command, *options], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(report.read_text())
    assert found["total"]["codes"].keys() == {"OK"}
    assert found["total"]["num_calls"] == pytest.approx(40, abs=25)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "latency from when a call was due" in done.stdout


async def test_pictures_and_questions_against_a_real_server(server: Served) -> None:
    asked = Scenario.read(LOADTEST / "scenarios" / "pictures.toml")
    asked = asked.model_copy(update={"duration_s": 1.0, "warmup_s": 0.0, "timeout_s": PATIENCE_S})
    outcomes = await Runner(asked, server.target).run()
    assert {(outcome.part, outcome.code) for outcome in outcomes} == {("objects", "OK"), ("questions", "OK")}


@pytest.mark.parametrize("door", DOORS)
async def test_the_scenario_of_a_door_against_a_real_server(server: Served, door: str) -> None:
    shipped = Scenario.read(LOADTEST / "scenarios" / f"{door}.toml")
    parts = tuple(part.model_copy(update={"weight": 1.0}) for part in shipped.parts)
    asked = shipped.model_copy(update={"parts": parts, "duration_s": 1.0, "warmup_s": 0.0, "timeout_s": PATIENCE_S})
    outcomes = await Runner(asked, server.target, f"127.0.0.1:{server.http_port}").run()
    assert [outcome for outcome in outcomes if not outcome.is_expected] == []
    assert {outcome.part for outcome in outcomes} == {part.name for part in parts}


def run_locust(server: Served, scenario: Path) -> list[dict[str, Any]]:
    """Loads a server with `NUM_LOCUST_REQUESTS`; locust's numbers by part. Its exit status is 1 if a call failed."""
    files = f"{LOADTEST / 'locustfile.py'},{Path(__file__).with_name('locust_quits.py')}"
    command = [sys.executable, "-m", "locust", "--locustfile", files, "--headless"]
    options = ["--host", server.target, "--users=2", "--spawn-rate=2", "--json"]
    environment = os.environ | {
        "SCENARIO": str(scenario),
        "NUM_REQUESTS": str(NUM_LOCUST_REQUESTS),
        "HTTP": f"127.0.0.1:{server.http_port}",
    }
    done = subprocess.run(
        [*command, *options], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return list(json.loads(done.stdout))


def test_locust_runs_the_same_scenario(server: Served) -> None:
    found = run_locust(server, EVERYDAY)
    assert {entry["name"] for entry in found} == {part.name for part in Scenario.read(EVERYDAY).parts}
    assert sum(entry["num_requests"] for entry in found) >= NUM_LOCUST_REQUESTS
    assert sum(entry["num_failures"] for entry in found) == 0


def test_to_locust_too_refusals_that_are_due_and_callers_who_leave_are_no_failures(
    server: Served, tmp_path: Path
) -> None:
    file, texts = tmp_path / "odd.toml", LOADTEST / "texts" / "everyday.txt"
    parts = {
        "refused": 'to = ["tlh"]\nexpected = "NOT_FOUND"',
        "left": 'to = ["de"]\ninputs_per_call = 16\nnum_beams = 8\ncancel_after_s = 0.01',
        "stream left": 'to = ["de"]\nnum_beams = 8\nstream = true\ncancel_after_s = 0.01',
        "door": 'api = "libretranslate"\nto = ["de"]',
        "door refused": 'api = "libretranslate"\nto = ["tlh"]\nexpected = "400"',
        "door left": 'api = "deepl"\nto = ["de"]\ninputs_per_call = 16\nnum_beams = 4\ncancel_after_s = 0.01',
    }
    tables = [f'[[parts]]\nname = "{n}"\ntask = "translate"\ninputs = "{texts}"\n{keys}' for n, keys in parts.items()]
    head = 'name = "odd"\nduration_s = 2.0\n[arrivals]\nprocess = "closed"\nclients = 2\n'
    file.write_text(head + "\n".join(tables))
    found = run_locust(server, file)
    assert {entry["name"]: entry["num_failures"] for entry in found} == dict.fromkeys(parts, 0)
