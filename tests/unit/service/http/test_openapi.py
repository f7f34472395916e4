"""The OpenAPI document: valid by another's rules, complete, and in agreement with what the server checks."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from docs.tools import proto_comments
from regard.v1 import regard_pb2 as pb
from regard_service.convert.checks import Checks
from regard_service.convert.options import read_generation
from regard_service.errors import InvalidInput
from regard_service.http.doors.all_doors import DOORS
from regard_service.http.json_requests import read_body
from regard_service.http.openapi import document
from regard_service.http.openapi_examples import EXAMPLES
from regard_service.http.openapi_schemas import comment_of

ROOT = Path(__file__).parents[4]
REDOCLY = ROOT / "tests/browser/node_modules/.bin/redocly"
DOCUMENT = document("1.2.3")
DOCUMENTS = {"own": DOCUMENT} | {door.name: door.describe("1.2.3") for door in DOORS}
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]


@pytest.mark.skipif(
    "CI" not in os.environ and not (REDOCLY.exists() and shutil.which("node")),
    reason="missing: node, or tests/browser/node_modules (make browser)",
)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_redoclys_recommended_rules_find_no_fault(tmp_path: Path, name: str) -> None:
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(DOCUMENTS[name]))
    command = [str(REDOCLY), "lint", str(file), "--extends", "recommended", "--format", "json"]
    quiet = {"REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "REDOCLY_TELEMETRY": "off"}
    done = subprocess.run(command, env=os.environ | quiet, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)["problems"]
    assert [(problem["ruleId"], problem["location"]) for problem in found] == []


def test_every_message_field_and_value_is_described_by_the_protos_comment() -> None:
    for name, schema in SCHEMAS.items():
        assert schema["description"], name
        for field, described in schema.get("properties", {}).items():
            assert described["description"], (name, field)
    num_beams = SCHEMAS["GenerationConfig"]["properties"]["num_beams"]["description"]
    assert num_beams == "Number of beams. [1, 16]; 1 is greedy search, or sampling."
    for verbs in DOCUMENT["paths"].values():
        for operation in verbs.values():
            assert operation["summary"]
            assert operation["description"]
            assert all(parameter["description"] for parameter in operation["parameters"])


def test_the_comments_are_those_of_the_proto() -> None:
    for name, comment in proto_comments.comments(ROOT / "proto", "regard/v1/regard.proto").items():
        assert comment_of(name) == comment, "run `make proto`"


@pytest.mark.parametrize(
    "name",
    ["num_beams", "length_penalty", "num_return_sequences", "no_repeat_ngram_size", "repetition_penalty", "top_k"],
)
def test_the_bounds_are_those_that_the_server_checks(name: str) -> None:
    schema = SCHEMAS["GenerationConfig"]["properties"][name]
    step = 1 if schema["type"] == "integer" else 0.01

    def faults(value: float) -> bool:
        checks = Checks()
        read_generation(checks, pb.GenerationConfig(**{name: value}))  # type: ignore[arg-type]
        try:
            checks.raise_if_any()
        except InvalidInput:
            return True
        return False

    low, high = schema["minimum"], schema["maximum"]
    assert [faults(value) for value in (low - step, low, high, high + step)] == [True, False, False, True]


def test_lists_have_their_limits_and_enums_their_defaults() -> None:
    request = SCHEMAS["TranslateRequest"]
    assert request["required"] == ["texts"]
    assert request["properties"]["texts"]["minItems"] == 1
    assert request["properties"]["control_tokens"]["maxItems"] == 256
    assert request["properties"]["priority"]["default"] == "interactive"
    assert SCHEMAS["AttentionConfig"]["properties"]["encoding"]["default"] == "float32"
    assert {"alignment", "ATTENTION_KIND_ALIGNMENT"} <= set(SCHEMAS["AttentionKind"]["enum"])
    assert "json" in SCHEMAS["Encoding"]["enum"]


def test_every_example_is_a_request() -> None:
    for name, examples in EXAMPLES.items():
        for example in examples.values():
            message = getattr(pb, name)()
            read_body(
                json.dumps(example["value"]).encode(),
                message,
                {"name": "x"} if "Load" in name or "load" in name else {},
            )
            assert set(example["value"]) <= set(SCHEMAS[name]["properties"])
            assert set(SCHEMAS[name].get("required", ())) <= set(example["value"])


def test_a_token_is_optional_and_streams_are_text() -> None:
    assert DOCUMENT["security"] == [{}, {"bearer": []}]
    stream = DOCUMENT["paths"]["/v1/translate/stream"]["post"]["responses"]["200"]["content"]
    assert stream["text/event-stream"]["schema"]["type"] == "string"
