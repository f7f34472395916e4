"""The reference of the gRPC API has every element of the .proto, with its comment, and links that lead somewhere."""

import re
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from docs.tools.proto_reference import compile_proto, markdown, reference

ROOT = Path(__file__).parents[3]

SMALL = """
// A small file.
//   - An item
//     of two lines.
syntax = "proto3";
package small.v1;

// Looks things up.
service Finder {
  // Finds things, one after the other.
  // NOT_FOUND: there are none.
  rpc Find(Wanted) returns (stream Found);
}

// A question.
message Wanted {
  // Fewer than `<a|b>`, or <a|b>.
  optional int32 most = 3;
  // Which kinds.
  repeated Kind kinds = 4;
}

// What is found.
message Found {
  // How many, by name.
  map<string, Kind> counts = 1;
  // One of two.
  oneof thing {
    // A name.
    string name = 2;
    // Its number.
    int64 number = 3;
  }
}

// A kind.
enum Kind {
  // Any.
  KIND_UNSPECIFIED = 0;
}
"""


@pytest.fixture(scope="module")
def api() -> FileDescriptorProto:
    return compile_proto(ROOT / "proto", "regard/v1/regard.proto")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("proto")
    (folder / "small.proto").write_text(SMALL)
    return reference(compile_proto(folder, "small.proto"), "Small")


def test_every_element_of_the_api_is_there(api: FileDescriptorProto) -> None:
    page = reference(api, "The gRPC API")
    assert page.startswith("# The gRPC API\n\nThe Regard API: ")
    methods = [method.name for service in api.service for method in service.method]
    types = [each.name for each in api.message_type] + [each.name for each in api.enum_type]
    names = [*(service.name for service in api.service), *types, *methods]
    assert [name for name in names if f"# {name} {{ #{name} }}\n" not in page] == []
    fields = {field.name for message in api.message_type for field in message.field}
    values = {value.name for enum in api.enum_type for value in enum.value}
    assert len(fields) > 100
    assert [name for name in fields | values if f"| `{name}` |" not in page] == []


def test_links_lead_to_headings(api: FileDescriptorProto) -> None:
    page = reference(api, "The gRPC API")
    headings = re.findall(r"\{ #(\w+) \}", page)
    assert len(headings) == len(set(headings))
    links = set(re.findall(r"\]\(#(\w+)\)", page))
    assert len(links) > 30
    assert links <= set(headings)


def test_types(small: str) -> None:
    assert "[Wanted](#Wanted) → stream of [Found](#Found)" in small
    assert "| `kinds` | 4 | repeated [Kind](#Kind) | Which kinds. |" in small
    assert "| `counts` | 1 | map from string to [Kind](#Kind) | How many, by name. |" in small
    assert "| `number` | 3 | int64, one of `thing` | Its number. |" in small


def test_comments(small: str) -> None:
    assert "A small file.\n\n- An item of two lines." in small
    assert "Finds things, one after the other.\n\n- NOT_FOUND: there are none." in small
    assert "| `most` | 3 | optional int32 | Fewer than `<a|b>`, or &lt;a\\|b>. |" in small


def test_paragraphs_and_lists() -> None:
    assert markdown(" One\n line.\n\n Two.\n - a\n   b\n - c\n\n Three.") == (
        "One line.\n\nTwo.\n\n- a b\n- c\n\nThree."
    )


def test_what_protoc_refuses(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.proto").write_text("syntax = 3;")
    with pytest.raises(ValueError, match=r"bad\.proto: protoc refused it"):
        compile_proto(tmp_path, "bad.proto")
    assert "bad.proto:1" in capfd.readouterr().err
