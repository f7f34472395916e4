"""What explanations follow: a label by its place among the model's, an object by its place in the picture."""

import numpy as np
import pytest

from regard.arrays import Float32Array
from regard_service.bundle import AttentionLayout, BoxesOutput, LabelsOutput
from regard_service.calls.boxes import find_objects
from regard_service.calls.followed import FollowedLabel, FollowedObject
from regard_service.domain.calls import DetectCall
from regard_service.domain.results import ImageGrid

GRID = ImageGrid(2, 2, 100, 100, (0.0, 0.0, 100.0, 100.0))
OUTPUT = BoxesOutput(labels=("cat", "dog"), is_exclusive=False, queries=3)
NOTHING = -20.0


def outputs(logits: list[list[float]], boxes: list[list[float]]) -> dict[str, Float32Array]:
    return {"box_logits": np.array(logits, np.float32), "boxes": np.array(boxes, np.float32)}


def test_a_label_is_followed_by_name_or_the_likeliest() -> None:
    output = LabelsOutput(labels=("red", "green"))
    logits: dict[str, Float32Array] = {"logits": np.log(np.array([0.2, 0.8], np.float32))}
    likeliest, red = FollowedLabel.of(logits, output, ""), FollowedLabel.of(logits, output, "red")
    assert (likeliest.label, red.label) == ("green", "red")
    assert (likeliest.probability, red.probability) == pytest.approx((0.8, 0.2))
    other: dict[str, Float32Array] = {"logits": np.log(np.array([0.7, 0.3], np.float32))}
    assert likeliest.probability_of(other) == pytest.approx(0.3)


def test_an_object_is_its_label_in_its_place_whichever_query_finds_it() -> None:
    place, beside = [0.5, 0.5, 0.4, 0.4], [0.9, 0.5, 0.2, 0.4]
    whole = outputs([[1.0, 0.0], [NOTHING, 3.0], [NOTHING, NOTHING]], [place, place, beside])
    (cat,) = find_objects(whole, OUTPUT, GRID, DetectCall(labels=("cat",)))
    followed = FollowedObject(cat, OUTPUT, GRID, AttentionLayout(layers=0, heads=0), whole)
    assert followed.label == "cat"
    assert followed.probability == pytest.approx(cat.score)
    shifted = [0.55, 0.5, 0.4, 0.4]  # 7 / 9 of the union is shared
    moved = outputs([[NOTHING, NOTHING], [0.5, 3.0], [9.0, NOTHING]], [place, shifted, beside])
    assert followed.probability_of(moved) == pytest.approx(1 / (1 + np.exp(-0.5)))
    gone = outputs([[9.0, 9.0]] * 3, [beside] * 3)
    assert followed.probability_of(gone) == 0
