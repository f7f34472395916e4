"""The frame of all doors over a real port, with a backend without models."""

from typing import Any

import pytest

from regard_service.http.doors.all_doors import DOORS
from regard_service.http.doors.door import Door
from regard_service.http.doors.hugging_face.door import HUGGING_FACE
from regard_service.http.doors.hugging_face.generation import PARAMETERS
from regard_service.http.doors.libretranslate.door import LIBRETRANSLATE
from regard_service.http.doors.openai.door import OPENAI
from tests.documented_calls import documented_calls, documented_names
from tests.integration.test_http_api import call
from tests.integration.test_servicers import running

ALL_OPEN: dict[str, Any] = {f"{door.name}_door": True for door in DOORS}
IDS = [door.name for door in DOORS]


async def test_doors_are_closed_by_default() -> None:
    async with running() as server:
        answers = [await call(server, "GET", f"{door.prefix}/openapi.json") for door in DOORS]
    assert [answer.status for answer in answers] == [404] * len(DOORS)


@pytest.mark.parametrize("door", DOORS, ids=IDS)
async def test_the_document_describes_every_call_and_no_other(door: Door) -> None:
    async with running(**ALL_OPEN) as server:
        document = (await call(server, "GET", f"{door.prefix}/openapi.json")).json
    assert {(verb.upper(), path) for path, verbs in document["paths"].items() for verb in verbs} == {
        (verb, door.prefix + each.path) for each in door.calls for verb in each.verbs
    }


@pytest.mark.parametrize(
    ("door", "page"),
    [(LIBRETRANSLATE, "libretranslate.md"), (HUGGING_FACE, "hugging-face.md"), (OPENAI, "openai.md")],
)
async def test_the_documented_calls_are_those_that_are_answered(door: Door, page: str) -> None:
    documented = documented_calls(page)
    supported = {each for each, is_supported in documented.items() if is_supported}
    assert supported == {(verb, each.path) for each in door.calls for verb in each.verbs}
    async with running(**ALL_OPEN) as server:
        for verb, path in set(documented) - supported:
            answer = await call(server, verb, door.prefix + path.replace("{model}", "everyday"))
            assert (answer.status, list(answer.json)) == (404, ["error"]), path
        for verb, path in supported:
            answer = await call(server, verb, door.prefix + path.replace("{model}", "everyday"))
            assert "there is no /" not in answer.body.decode(), path
            assert answer.status != 405, path


def test_the_documented_fields_of_a_translation_are_those_that_are_known() -> None:
    fields = {"q", "source", "target", "format", "alternatives", "api_key"}
    assert documented_names("libretranslate.md", "What is there") == fields
    schema = LIBRETRANSLATE.describe("1")["paths"]["/libretranslate/translate"]["post"]["requestBody"]["content"]
    assert {frozenset(each["schema"]["properties"]) for each in schema.values()} == {frozenset(fields)}


def test_the_documented_parameters_of_hugging_face_are_those_that_are_known() -> None:
    documented = documented_names("hugging-face.md", "Parameters")
    assert documented == {"src_lang", "tgt_lang", "truncation", *PARAMETERS}


@pytest.mark.parametrize("door", DOORS, ids=IDS)
async def test_unknown_paths_and_verbs_have_the_doors_shape(door: Door) -> None:
    async with running(**ALL_OPEN) as server:
        missing = await call(server, "GET", f"{door.prefix}/nothing/at/all")
        own = await call(server, "GET", "/v1/nothing")
        wrong = await call(server, "DELETE", door.prefix + door.calls[0].path)
    assert missing.status == 404
    assert "/nothing/at/all" in missing.body.decode()
    assert not door.prefix or set(missing.json) != set(own.json)
    assert (wrong.status, "allow" in wrong.headers) == (405, True)


async def test_calls_of_a_door_are_logged_and_counted_by_door(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with running(libretranslate_door=True) as server:
        answer = await call(server, "GET", "/libretranslate/languages", x_request_id="mine")
        _, metrics = await server.get("/metrics")
    assert answer.headers["x-request-id"] == "mine"
    assert 'regard_door_requests_total{call="Languages",door="libretranslate",status="200"} 1.0' in metrics
    assert (
        'grpc_server_handled_total{grpc_code="OK",grpc_method="Languages",grpc_service="regard.doors.libretranslate"'
        in metrics
    )
    [line] = [r for r in caplog.records if r.getMessage() == "regard.doors.libretranslate/Languages"]
    assert line.fields["request_id"] == "mine"  # type: ignore[attr-defined]


async def test_the_log_names_the_fields_that_a_door_has_and_no_others(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    parameters = {"generate_parameters": {"max_length": "x", "my secret": 1}}
    async with running(**ALL_OPEN) as server:
        await call(server, "POST", "/libretranslate/translate", {"q": [3], "target": "de", "alternatives": 99})
        await call(server, "POST", "/hugging-face/everyday", {"inputs": "a", "parameters": parameters})
    lines = {record.getMessage(): record.fields for record in caplog.records if hasattr(record, "fields")}
    assert lines["regard.doors.libretranslate/Translate"]["fields"] == ["q[0]", "source", "alternatives"]
    named = lines["regard.doors.hugging_face/Infer"]["fields"]
    assert sorted(named) == ["parameters.generate_parameters.?", "parameters.generate_parameters.max_length"]


async def test_a_page_of_another_site_is_refused_in_the_doors_shape() -> None:
    async with running(libretranslate_door=True) as server:
        answer = await call(server, "GET", "/libretranslate/languages", sec_fetch_site="cross-site")
    assert answer.status == 403
    assert set(answer.json) == {"error"}
    assert "access-control-allow-origin" not in answer.headers
