"""The .proto is the API's manual: nothing in it is without words, and requests are alike."""

from collections.abc import Iterator
from importlib.resources import as_file, files
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)
from grpc_tools import protoc

from regard.v1 import regard_pb2

ROOT = Path(__file__).parents[2]
NAME = "regard/v1/regard.proto"

Place = tuple[tuple[int, ...], str]  # of an element in its file: path of field numbers and indexes, name


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> FileDescriptorProto:
    compiled = tmp_path_factory.mktemp("proto") / "descriptors"
    with as_file(files("grpc_tools") / "_proto") as well_known:
        arguments = [f"-I{ROOT / 'proto'}", f"-I{well_known}", "--include_source_info", f"-o{compiled}", NAME]
        assert protoc.main(["protoc", *arguments]) == 0
    return FileDescriptorSet.FromString(compiled.read_bytes()).file[0]


def places_in_enum(enum: EnumDescriptorProto, path: tuple[int, ...]) -> Iterator[Place]:
    yield path, enum.name
    for i, value in enumerate(enum.value):
        yield (*path, EnumDescriptorProto.VALUE_FIELD_NUMBER, i), f"{enum.name}.{value.name}"


def places_in_message(message: DescriptorProto, path: tuple[int, ...]) -> Iterator[Place]:
    if message.options.map_entry:
        return
    yield path, message.name
    for i, field in enumerate(message.field):
        yield (*path, DescriptorProto.FIELD_FIELD_NUMBER, i), f"{message.name}.{field.name}"
    made_up = {field.oneof_index for field in message.field if field.proto3_optional}
    for i, oneof in enumerate(message.oneof_decl):
        if i not in made_up:
            yield (*path, DescriptorProto.ONEOF_DECL_FIELD_NUMBER, i), f"{message.name}.{oneof.name}"
    for i, nested in enumerate(message.nested_type):
        yield from places_in_message(nested, (*path, DescriptorProto.NESTED_TYPE_FIELD_NUMBER, i))
    for i, enum in enumerate(message.enum_type):
        yield from places_in_enum(enum, (*path, DescriptorProto.ENUM_TYPE_FIELD_NUMBER, i))


def places(file: FileDescriptorProto) -> Iterator[Place]:
    for i, message in enumerate(file.message_type):
        yield from places_in_message(message, (FileDescriptorProto.MESSAGE_TYPE_FIELD_NUMBER, i))
    for i, enum in enumerate(file.enum_type):
        yield from places_in_enum(enum, (FileDescriptorProto.ENUM_TYPE_FIELD_NUMBER, i))
    for i, service in enumerate(file.service):
        path = (FileDescriptorProto.SERVICE_FIELD_NUMBER, i)
        yield path, service.name
        for j, method in enumerate(service.method):
            yield (*path, service.METHOD_FIELD_NUMBER, j), f"{service.name}.{method.name}"


def test_every_element_has_a_comment(file: FileDescriptorProto) -> None:
    comments = {tuple(at.path): at.leading_comments.strip() for at in file.source_code_info.location}
    named = list(places(file))
    assert len(named) > 200
    assert [name for path, name in named if not comments.get(path)] == []


def test_fields_that_requests_share_have_one_number_and_type(file: FileDescriptorProto) -> None:
    seen: dict[str, set[tuple[int, int, str]]] = {}
    tasks = ("Translate", "Summarize", "Caption")
    for message in file.message_type:
        if message.name.removeprefix("Stream").removesuffix("Request") in tasks:
            for field in message.field:
                seen.setdefault(field.name, set()).add((field.number, field.type, field.type_name))
    assert {"model", "generation", "attention", "priority"} <= seen.keys()
    assert {name: kinds for name, kinds in seen.items() if len(kinds) > 1} == {}


def test_unset_differs_from_zero_in_a_generation_config() -> None:
    config = regard_pb2.GenerationConfig(temperature=0, num_beams=4)
    assert config.HasField("temperature")
    assert not config.HasField("top_k")
    scalars = [f for f in regard_pb2.GenerationConfig.DESCRIPTOR.fields if f.name != "early_stopping"]
    assert all(f.has_presence for f in scalars)
