"""A manifest is of a model that writes text, with all of a decoder, or of one that does not, with none of it."""

from typing import Any

import pytest
from pydantic import ValidationError

from regard_service.bundle import Manifest
from tests.unit.service.engine.fake_runner import fake_manifest

VECTOR = {"kind": "vector", "width": 8}
OTHERS: dict[str, Any] = {"target": None, "generation": None, "max_target_tokens": 0, "state": []}
NO_ATTENTION = {"layers": 0, "heads": 0}


def changed(**changes: Any) -> Manifest:
    return Manifest.model_validate({**fake_manifest().model_dump(), **changes})


def without_decoder(**changes: Any) -> Manifest:
    (variant,) = fake_manifest().model_dump()["variants"]
    parts = {**OTHERS, "attention": NO_ATTENTION, "variants": [{**variant, "step": None}]}
    return changed(**{"task": "encoding", "output": VECTOR, **parts, **changes})


def test_a_manifest_is_read_as_it_was_written() -> None:
    for manifest in (fake_manifest(), without_decoder()):
        assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest


def test_bundles_of_earlier_exporters_write_text() -> None:
    written = fake_manifest().model_dump()
    del written["output"]
    manifest = Manifest.model_validate(written)
    assert (manifest.output.kind, manifest.has_decoder) == ("text", True)


def test_a_model_without_a_decoder_has_no_target_to_read() -> None:
    manifest = without_decoder()
    assert not manifest.has_decoder
    with pytest.raises(ValueError, match="writes no text"):
        _ = manifest.target
    assert manifest.named_files() == {"none.json", "none.onnx"}


@pytest.mark.parametrize("part", ["target", "generation", "max_target_tokens"])
def test_a_decoder_without_one_of_its_parts_is_refused(part: str) -> None:
    with pytest.raises(ValidationError, match=f"output is text misses {part}"):
        changed(**{part: OTHERS[part]})


@pytest.mark.parametrize("part", ["target", "generation", "max_target_tokens", "attention"])
def test_a_model_of_vectors_with_a_part_of_a_decoder_is_refused(part: str) -> None:
    with pytest.raises(ValidationError, match="output is vector writes no text, yet states"):
        without_decoder(**{part: fake_manifest().model_dump()[part]})


@pytest.mark.parametrize(
    ("output", "fault"),
    [
        ({"kind": "labels", "labels": ["a", "a"]}, "two labels have one name"),
        ({"kind": "labels", "labels": []}, "at least 1 item"),
        ({**VECTOR, "pooling": "max", "poolings": ["mean"]}, "is not among those of the graph"),
        ({"kind": "pieces", "mask": "[M]", "mask_id": 3, "candidates": 5}, "none of the source's control tokens"),
        ({"kind": "boxes", "labels": ["a"]}, "output.boxes.queries"),
        ({"kind": "sounds"}, "does not match any of the expected tags"),
    ],
)
def test_outputs_that_contradict_themselves_are_refused(output: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        without_decoder(output=output)
