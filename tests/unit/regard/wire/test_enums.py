"""The short names of the API's enums."""

import pytest
from google.protobuf.descriptor import EnumDescriptor

from regard.v1 import regard_pb2 as pb
from regard.wire.enums import ATTENTION_KIND, TABLES

ENUMS = list(pb.DESCRIPTOR.enum_types_by_name.values())


def test_every_enum_of_the_api_has_a_table() -> None:
    assert set(TABLES) == {enum.name for enum in ENUMS}


@pytest.mark.parametrize("enum", ENUMS, ids=lambda enum: enum.name)
def test_short_names_are_the_ends_of_the_values_names(enum: EnumDescriptor) -> None:
    table = TABLES[enum.name]
    prefix = enum.values[0].name.removesuffix("UNSPECIFIED")
    short_names = [value.name.removeprefix(prefix).lower() for value in enum.values[1:]]
    assert list(table.names) == short_names
    assert [table.name(value.number) for value in enum.values] == [None, *short_names]
    assert [table.number(name) for name in short_names] == [value.number for value in enum.values[1:]]


def test_a_number_of_a_later_version_is_an_error_or_no_name() -> None:
    with pytest.raises(ValueError, match="99 is not a value of AttentionKind"):
        ATTENTION_KIND.name(99)
    assert [ATTENTION_KIND.name_if_known(number) for number in (0, 2, 99)] == ["", "alignment", ""]
