"""Scenes: what is in them, and that nothing near a lamp tells whether it is lit."""

import numpy as np
from numpy.typing import NDArray

from regard_models.nets.detector import STRIDE, DetectorConfig
from regard_models.recipes.scenes import LABELS, MIN_DISTANCE_OF_SIGN, SIZE, SIZES, Scene, draw_scene

SCENES = [draw_scene(0, number) for number in range(200)]
SIGN, LIT, DARK = (LABELS.index(label) for label in ("sign", "lit lamp", "dark lamp"))


def sign_of(scene: Scene) -> NDArray[np.float32]:
    """The box of the only sign."""
    (index,) = np.flatnonzero(scene.labels == SIGN)
    box: NDArray[np.float32] = scene.boxes[index]
    return box


def test_a_scene_is_the_same_for_the_same_number() -> None:
    again = draw_scene(0, 7)
    np.testing.assert_array_equal(again.pixels, SCENES[7].pixels)
    assert not np.array_equal(draw_scene(1, 7).pixels, SCENES[7].pixels)


def test_boxes_lie_in_the_picture_and_hold_what_is_drawn() -> None:
    for scene in SCENES:
        assert scene.pixels.shape == (SIZE, SIZE, 3)
        assert len(scene.boxes) == len(scene.labels) >= 2
        assert (scene.boxes[:, :2] >= 0).all()
        assert (scene.boxes[:, 2:] <= SIZE).all()
        assert (scene.boxes[:, 2:] > scene.boxes[:, :2]).all()


def test_all_labels_occur_and_about_as_many_lamps_are_lit_as_dark() -> None:
    counts = np.bincount(np.concatenate([scene.labels for scene in SCENES]), minlength=len(LABELS))
    assert (counts > 50).all()
    assert 0.7 < counts[LIT] / counts[DARK] < 1.4


def test_all_lamps_of_a_scene_are_lit_where_its_sign_is_blue() -> None:
    for scene in SCENES:
        lamps = set(scene.labels.tolist()) & {LIT, DARK}
        left, top, right, bottom = sign_of(scene).round().astype(int)
        colours = scene.pixels[top:bottom, left:right].astype(int)
        blueness = colours[..., 2] - colours[..., 0]
        assert lamps == ({LIT} if blueness.mean() > 0 else {DARK})


def test_the_sign_lies_beyond_what_the_cells_of_a_lamp_see() -> None:
    candidates = SIZES["lamp"][1] / 3 + 2 * STRIDE  # whose boxes overlap the lamp's by half, and their neighbours
    assert DetectorConfig(LABELS, SIZE).reach + candidates < MIN_DISTANCE_OF_SIGN
    for scene in SCENES:
        sign = sign_of(scene)
        for box in scene.boxes[np.isin(scene.labels, (LIT, DARK))]:
            centre = (box[:2] + box[2:]) / 2
            assert max((sign[:2] - centre).max(), (centre - sign[2:]).max()) >= MIN_DISTANCE_OF_SIGN - 1e-3
