"""The JSON API over a real port, with a backend without models: the same responses, errors and limits as gRPC's."""

import asyncio
import base64
import http.client
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from google.protobuf import json_format

from regard.calls.results import Result
from regard.v1 import regard_pb2 as pb
from regard_service.errors import InvalidInput, ModelNotFound, NotReady, Overloaded, ServiceError, Unsupported
from regard_service.http.json_api import ENDPOINTS
from tests.integration.fake_backend import EVENTS, READY, Script
from tests.integration.test_servicers import Running, failing, open_script, running
from tests.waiting import PATIENCE_S

HELLO = {"texts": ["Hello"], "target_language": "de", "attention": {"kinds": ["ATTENTION_KIND_ALIGNMENT"]}}
STREAM_HELLO = {"text": "Hello", "target_language": "de"}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[tuple[str, Any]]:
        """Names and data of server-sent events."""
        blocks = [block.split("\n") for block in self.body.decode().split("\n\n") if block]
        return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


async def call(
    server: Running, verb: str, path: str, body: object = None, *, raw: bytes | None = None, **headers: str
) -> Answer:
    """Sends one HTTP request; underscores in the names of headers become hyphens."""
    content = raw if raw is not None else None if body is None else json.dumps(body).encode()
    names = {"content-type": "application/json"} if content is not None else {}
    names |= {name.replace("_", "-"): value for name, value in headers.items()}

    def send() -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", server.server.http_port, timeout=PATIENCE_S)
        try:
            connection.request(verb, path, content, names)
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    return await asyncio.to_thread(send)


async def test_a_response_equals_grpcs_in_protobufs_json() -> None:
    async with running() as server:
        over_grpc = await server.attention.Translate(json_format.ParseDict(HELLO, pb.TranslateRequest()))
        answer = await call(server, "POST", "/v1/translate", HELLO, x_request_id="mine")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"] == "mine"
    assert json_format.ParseDict(answer.json, pb.TranslateResponse()) == over_grpc
    assert answer.json["results"][0]["source_tokens"][0]["piece"] == "▁Hello"  # names of the .proto
    assert Result.from_json(answer.json["results"][0]).alignment is not None
    first, second = (replace(each, deadline=None) for each in server.script.calls)
    assert first == second


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/summarize", {"texts": ["a", "b"], "style": "headline"}),
        ("/v1/caption", {"images": [base64.b64encode(b"a picture").decode()]}),
    ],
)
async def test_every_task_has_its_path(path: str, body: dict[str, Any]) -> None:
    async with running() as server:
        answer = await call(server, "POST", path, body)
    assert answer.status == 200
    assert len(answer.json["results"]) == len(next(iter(body.values())))
    [found] = server.script.calls
    assert getattr(found, "texts", ("a", "b")) == ("a", "b")
    assert getattr(found, "images", (b"a picture",)) == (b"a picture",)


@pytest.mark.parametrize(
    ("verb", "path", "body"),
    [
        ("POST", "/v1/translate/stream", STREAM_HELLO),
        ("GET", "/v1/translate/stream?text=Hello&target_language=de", None),
        ("POST", "/v1/summarize/stream", {"text": "Hello"}),
        ("POST", "/v1/caption/stream", {"image": base64.b64encode(b"a picture").decode()}),
    ],
)
async def test_a_stream_is_server_sent_events(verb: str, path: str, body: object) -> None:
    async with running() as server:
        answer = await call(server, verb, path, body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert [name for name, _ in answer.events] == ["started", "token", "token", "finished"]
    assert all(list(data) == [name] for name, data in answer.events)
    assert answer.events[1][1]["token"]["text_delta"] == "Hallo"
    assert answer.events[-1][1]["finished"]["result"]["hypotheses"][0]["text"] == "Hallo"


async def test_a_query_reaches_fields_of_fields_and_lists() -> None:
    query = (
        "text=a+b&target_language=de&generation.num_beams=3&generation.length_penalty=0.5"
        "&attention.kinds=ATTENTION_KIND_CROSS&attention.kinds=ATTENTION_KIND_ALIGNMENT&attention.layers=1"
    )
    async with running() as server:
        assert (await call(server, "GET", f"/v1/translate/stream?{query}")).status == 200
    [found] = server.script.calls
    assert (found.generation.num_beams, found.generation.length_penalty) == (3, 0.5)
    assert (found.attention.kinds, found.attention.layers) == (("cross", "alignment"), (1,))


@pytest.mark.parametrize(
    ("error", "status", "code", "reason"),
    [
        (InvalidInput.of("texts[0]", "is bad"), 400, "INVALID_ARGUMENT", "INVALID_INPUT"),
        (ModelNotFound("there is none"), 404, "NOT_FOUND", "MODEL_NOT_FOUND"),
        (Overloaded("the queue is full", 1.5), 429, "RESOURCE_EXHAUSTED", "OVERLOADED"),
        (NotReady("loading"), 503, "UNAVAILABLE", "NOT_READY"),
        (Unsupported("cannot"), 501, "UNIMPLEMENTED", "UNSUPPORTED"),
        (ValueError("a secret"), 500, "INTERNAL", "INTERNAL"),
    ],
)
async def test_errors_are_problems_with_grpcs_code_and_reason(
    error: Exception, status: int, code: str, reason: str
) -> None:
    async with running(failing(error)) as server:
        for path, body in (("/v1/translate", HELLO), ("/v1/translate/stream", STREAM_HELLO)):
            answer = await call(server, "POST", path, body)
            assert answer.headers["content-type"] == "application/problem+json"
            assert (answer.status, answer.json["status"]) == (status, status)
            assert (answer.json["code"], answer.json["reason"]) == (code, reason)
            assert "secret" not in answer.body.decode()
            assert "x-request-id" in answer.headers
    if isinstance(error, Overloaded):
        assert (answer.headers["retry-after"], answer.json["retry_after_s"]) == ("2", 1.5)
    if isinstance(error, ServiceError):
        assert answer.json["detail"]


async def test_violations_of_json_and_of_bounds_are_listed() -> None:
    async with running() as server:
        bounds = await call(server, "POST", "/v1/summarize", {"texts": [""], "generation": {"num_beams": 99}})
        shapes = await call(
            server,
            "POST",
            "/v1/translate",
            {"texts": 3, "generation": {"num_beam": 1}, "truncation": "SOMEHOW", "x": 1},
        )
        stream = await call(server, "GET", "/v1/translate/stream?text=&generation.num_beams=many")
    assert [v["field"] for v in bounds.json["violations"]] == ["generation.num_beams", "texts[0]"]
    assert {v["field"]: v["description"] for v in shapes.json["violations"]} == {
        "texts": "must be a list, such as [3]; it is 3",
        "generation.num_beam": 'there is no such field; did you mean "num_beams"?',
        "truncation": '"SOMEHOW" is none of reject, truncate, split_and_join',
        "x": "there is no such field; there are model, texts, source_language, target_language, generation, attention,"
        " truncation, priority, text_options, control_tokens, terms, glossaries, target_prefixes, num_alternatives,"
        " suppressed, confidence",
    }
    assert [v["field"] for v in stream.json["violations"]] == ["generation.num_beams"]
    assert (bounds.status, shapes.status, stream.status) == (400, 400, 400)
    assert not server.script.calls


@pytest.mark.parametrize("raw", [b"", b"{", b"[1]", b'"text"', b"\xff{}", b"[" * 100_000])
async def test_a_body_that_is_no_json_object_is_an_error_of_the_caller(raw: bytes) -> None:
    async with running() as server:
        answer = await call(server, "POST", "/v1/translate", raw=raw)
    assert answer.status == 400
    assert answer.json["violations"][0]["field"] == "request"


async def test_a_page_of_another_site_cannot_post_plain_text() -> None:
    async with running() as server:
        answer = await call(server, "POST", "/v1/translate", HELLO, content_type="text/plain")
    assert answer.status == 400
    assert "application/json" in answer.json["violations"][0]["description"]
    assert "access-control-allow-origin" not in answer.headers


async def test_a_body_has_the_limit_of_a_message() -> None:
    async with running(max_message_bytes=2048) as server:
        assert (await call(server, "POST", "/v1/translate", {"texts": ["a" * 1000]})).status == 200
        answer = await call(server, "POST", "/v1/translate", {"texts": ["a" * 3000]})
    assert (answer.status, answer.json["code"]) == (413, "RESOURCE_EXHAUSTED")


async def test_a_timeout_is_a_deadline() -> None:
    async with running(Script()) as server:
        for path, body in (("/v1/translate", HELLO), ("/v1/translate/stream", STREAM_HELLO)):
            answer = await call(server, "POST", path, body, x_request_timeout="soon")
            assert answer.json["violations"][0]["field"] == "x-request-timeout"
    async with running() as server:
        await call(server, "POST", "/v1/translate", HELLO, x_request_timeout="30")
    [found] = server.script.calls
    assert found.deadline is not None


@pytest.mark.parametrize(("path", "body"), [("/v1/translate", HELLO), ("/v1/translate/stream", STREAM_HELLO)])
async def test_a_client_that_leaves_cancels_its_call(path: str, body: object) -> None:
    script = Script()
    async with running(script) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.server.http_port, timeout=PATIENCE_S)
        await asyncio.to_thread(
            connection.request, "POST", path, json.dumps(body), {"content-type": "application/json"}
        )
        await asyncio.wait_for(script.entered.wait(), PATIENCE_S)
        connection.close()
        await asyncio.wait_for(script.cancelled.wait(), PATIENCE_S)


async def test_a_stream_that_fails_on_its_way_ends_with_the_problem() -> None:
    script = Script()

    async with running(script) as server:
        backend = server.server._backend
        assert backend is not None

        async def events(found: object) -> Any:
            yield EVENTS[0]
            raise Overloaded("suddenly full", 1.0)

        backend.data_plane.stream_translate = events  # type: ignore[method-assign, assignment]
        answer = await call(server, "POST", "/v1/translate/stream", STREAM_HELLO)
    assert [name for name, _ in answer.events] == ["started", "error"]
    assert answer.events[1][1]["reason"] == "OVERLOADED"


async def test_the_drain_waits_for_calls_over_http_and_refuses_new_ones() -> None:
    script = Script()
    async with running(script) as server:
        answering = asyncio.ensure_future(call(server, "POST", "/v1/translate", HELLO))
        await asyncio.wait_for(script.entered.wait(), PATIENCE_S)
        stopping = asyncio.ensure_future(server.server.stop())
        await server.wait_until_draining()
        refused = await call(server, "POST", "/v1/translate", HELLO)
        script.gate.set()
        assert (await answering).status == 200
        await stopping
    assert (refused.status, refused.json["reason"]) == (503, "DRAINING")
    assert script.order == ["call", "drain", "close"]


async def test_calls_over_http_are_counted_and_logged_like_grpcs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with running() as server:
        await call(server, "POST", "/v1/translate", HELLO)
        _, metrics = await server.get("/metrics")
    assert 'grpc_server_handled_total{grpc_code="OK",grpc_method="Translate"' in metrics
    [line] = [record for record in caplog.records if record.getMessage() == "regard.v1.AttentionService/Translate"]
    fields = line.fields  # type: ignore[attr-defined]
    assert fields["code"] == "OK"
    assert fields["peer"].startswith("ipv4:127.0.0.1:")
    assert fields["model"] == "everyday@2"


async def test_models_are_listed_and_described() -> None:
    async with running() as server:
        listed = await call(server, "GET", "/v1/models?task=TASK_TRANSLATION&page_size=5")
        found = await call(server, "GET", f"/v1/models/{READY.name}")
        missing = await call(server, "GET", "/v1/models/nothing")
    assert [model["name"] for model in listed.json["models"]] == ["everyday"]
    assert found.json["model"]["target_languages"] == ["de", "fr"]
    assert missing.status == 404


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        yield from [value["$ref"]] if "$ref" in value else []
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


async def test_the_document_describes_every_endpoint_and_every_name_in_it_exists() -> None:
    async with running() as server:
        document = (await call(server, "GET", "/openapi.json")).json
    assert {(verb.upper(), path) for path, verbs in document["paths"].items() for verb in verbs} == {
        (endpoint.verb, endpoint.path) for endpoint in ENDPOINTS
    }
    schemas = document["components"]["schemas"]
    parts = {f"#/components/{kind}/{name}" for kind, named in document["components"].items() for name in named}
    assert set(references(document)) <= parts
    assert set(schemas["GenerationConfig"]["properties"]) == set(pb.GenerationConfig.DESCRIPTOR.fields_by_name)
    operations = [operation["operationId"] for verbs in document["paths"].values() for operation in verbs.values()]
    assert len(operations) == len(set(operations))
    query = {p["name"] for p in document["paths"]["/v1/translate/stream"]["get"]["parameters"]}
    assert {"text", "generation.num_beams", "attention.kinds"} <= query


async def test_the_page_loads_files_of_this_server_only_under_a_strict_policy() -> None:
    async with running() as server:
        page = await call(server, "GET", "/")
        loaded = re.findall(r'<(?:script|link)[^>]* (?:src|href)="([^"]+)"', page.body.decode())
        assert loaded
        waiting, seen = list(loaded), set()
        while waiting:
            path = waiting.pop()
            if path in seen or path.startswith("data:"):
                continue
            seen.add(path)
            answer = await call(server, "GET", path)
            assert answer.status == 200, path
            assert answer.headers["x-content-type-options"] == "nosniff"
            if path.endswith(".js"):
                assert answer.headers["content-type"].startswith("text/javascript")
                folder = path.rpartition("/")[0]
                imported = re.findall(r'from "(\./[^"]+)"', answer.body.decode())
                waiting += [f"{folder}/{name.removeprefix('./')}" for name in imported]
        again = await call(server, "GET", "/", if_none_match=page.headers["etag"])
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*src=)|<style| style=| on\w+=", page.body.decode())
    assert "/assets/view/view.js" in seen
    assert again.status == 304


async def test_one_setting_switches_off_api_and_playground() -> None:
    async with running(http_api=False) as server:
        for path in ("/", "/v1/models", "/openapi.json", "/assets/view/view.js"):
            assert (await call(server, "GET", path)).status == 404
        assert (await call(server, "POST", "/v1/translate", HELLO)).status == 404
        assert (await call(server, "GET", "/readyz")).status == 200


async def test_while_models_load_calls_are_not_ready() -> None:
    async with running(open_script()) as server:
        server.server._routes = None
        answer = await call(server, "POST", "/v1/translate", HELLO)
    assert (answer.status, answer.json["reason"]) == (503, "NOT_READY")


async def test_maps_are_nested_lists_of_numbers_on_request() -> None:
    nested_hello = HELLO | {"attention": {"kinds": ["alignment"], "encoding": "json"}}
    async with running() as server:
        packed = await call(server, "POST", "/v1/translate", HELLO)
        nested = await call(server, "POST", "/v1/translate", nested_hello)
        stream = await call(
            server, "POST", "/v1/translate/stream", STREAM_HELLO | {"attention": nested_hello["attention"]}
        )
    ours, theirs = (Result.from_json(each.json["results"][0]) for each in (packed, nested))
    assert ours.alignment is not None
    assert theirs.alignment is not None
    assert (ours.alignment.values == theirs.alignment.values).all()
    data = nested.json["results"][0]["hypotheses"][0]["attention"][0]["data"]
    assert [len(data), len(data[0])] == list(ours.alignment.shape)
    finished = stream.events[-1][1]["finished"]["result"]
    assert finished["hypotheses"][0]["attention"][0]["data"] == data


async def test_unknown_paths_and_wrong_methods_are_problems_that_help() -> None:
    async with running() as server:
        answers = {
            path: await call(server, verb, path, body)
            for verb, path, body in (
                ("POST", "/v1/translat", HELLO),
                ("POST", "/v1/translate/", HELLO),
                ("GET", "/nothing/like/it", None),
                ("POST", "/deepl/v2/translate", HELLO),
                ("POST", "/v2/models/everyday/infer", HELLO),
                ("PUT", "/v1/summarize", HELLO),
                ("PUT", "/v1/glossaries/a", HELLO),
                ("GET", "/v1/translate/stream?text=A%ff&target_language=de", None),
            )
        }
    for answer in answers.values():
        assert answer.headers["content-type"] == "application/problem+json"
        assert set(answer.json) == {"type", "title", "status", "detail", "code", "reason", "violations"}
        assert answer.json["status"] == answer.status
    assert answers["/v1/translat"].json["detail"] == "there is no /v1/translat; did you mean /v1/translate?"
    assert answers["/v1/translate/"].json["detail"] == "there is no /v1/translate/; did you mean /v1/translate?"
    assert answers["/nothing/like/it"].json["reason"] == "PATH_NOT_FOUND"
    opens = "it is of the door deepl, which the setting deepl_door opens"
    assert answers["/deepl/v2/translate"].json["detail"] == f"there is no /deepl/v2/translate; {opens}"
    assert answers["/v2/models/everyday/infer"].json["detail"].endswith("the setting open_inference_door opens")
    put = answers["/v1/summarize"]
    assert (put.status, put.json["reason"], put.headers["allow"]) == (405, "METHOD_NOT_ALLOWED", "POST")
    assert put.json["detail"] == "PUT is not allowed for /v1/summarize; POST is"
    stream = answers["/v1/translate/stream?text=A%ff&target_language=de"]
    assert (stream.status, stream.json["detail"]) == (400, "request: the query is not valid UTF-8")
    put = answers["/v1/glossaries/a"]
    assert put.headers["allow"] == "DELETE, GET, HEAD, POST"
    assert put.json["detail"] == "PUT is not allowed for /v1/glossaries/a; DELETE, GET, HEAD, POST are"
