"""Fields that are read when they are looked at are those of a value that was read at once."""

import copy
import pickle
from dataclasses import asdict, fields, replace

import pytest

from regard.calls.results import Result
from regard.v1 import regard_pb2 as pb
from regard.values.outputs import Hypothesis, Output
from regard.values.read_later import ReadLater
from tests.unit.regard.sample_results import text_result

KNOWN_AT_ONCE = {"message", "picture"}


def translation() -> Result:
    return text_result(["A", "dog"], ["Ein", "Hund"])


@pytest.mark.parametrize("kind", [Hypothesis, Output])
def test_every_field_is_read(kind: type[Hypothesis] | type[Output]) -> None:
    assert {field.name for field in fields(kind)} - KNOWN_AT_ONCE == kind._readers.keys()


def test_a_field_is_read_once_and_kept() -> None:
    result = translation()
    assert "hypotheses" not in vars(result)
    assert result.hypotheses is result.hypotheses
    assert result.best.tokens is result.best.tokens
    assert result.best.tokens[0].piece == result.message.hypotheses[0].tokens[0].piece


def test_a_value_compares_copies_and_pickles_whatever_was_read() -> None:
    one, other = translation(), translation()
    assert one.text == other.text
    assert one == other
    assert hash(one) == hash(other)
    assert replace(one, model="another") != one
    for again in (copy.copy(translation()), copy.deepcopy(other), pickle.loads(pickle.dumps(one))):
        assert again == one
        assert again.best.tokens == one.best.tokens
    assert asdict(Hypothesis.from_message(pb.Hypothesis(text="eins")))["text"] == "eins"


def test_another_attribute_is_missing_as_usual() -> None:
    assert not hasattr(translation(), "txt")
    with pytest.raises(AttributeError, match="'Result' object has no attribute 'txt'"):
        translation().txt  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(AttributeError, match="message"):
        object.__new__(Result).message  # noqa: B018
    assert not hasattr(ReadLater(), "text")
