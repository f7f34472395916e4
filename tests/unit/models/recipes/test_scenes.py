"""Scenes: what is in them, and that nothing near a lamp tells whether it is lit."""

import numpy as np

from regard_models.nets.detector import DetectorConfig
from regard_models.recipes.scenes import LABELS, MIN_DISTANCE_OF_SIGN, SIZE, draw_scene

SCENES = [draw_scene(0, number) for number in range(200)]


def test_a_scene_is_the_same_for_the_same_number() -> None:
    again = draw_scene(0, 7)
    np.testing.assert_array_equal(again.pixels, SCENES[7].pixels)
    assert not np.array_equal(draw_scene(1, 7).pixels, SCENES[7].pixels)


def test_boxes_lie_in_the_picture_and_hold_what_is_drawn() -> None:
    for scene in SCENES:
        assert scene.pixels.shape == (SIZE, SIZE, 3)
        assert len(scene.boxes) == len(scene.labels) >= 1
        assert (scene.boxes[:, :2] >= 0).all()
        assert (scene.boxes[:, 2:] <= SIZE).all()
        assert (scene.boxes[:, 2:] > scene.boxes[:, :2]).all()


def test_all_labels_occur_and_about_as_many_lamps_are_lit_as_dark() -> None:
    counts = np.bincount(np.concatenate([scene.labels for scene in SCENES]), minlength=len(LABELS))
    assert (counts > 50).all()
    lit, dark = counts[LABELS.index("lit lamp")], counts[LABELS.index("dark lamp")]
    assert 0.5 < lit / dark < 2


def test_the_sign_alone_decides_all_lamps_and_lies_beyond_the_reach_of_convolutions() -> None:
    for scene in SCENES:
        is_sign = scene.labels == LABELS.index("sign")
        is_lamp = np.isin(scene.labels, [LABELS.index("lit lamp"), LABELS.index("dark lamp")])
        assert is_sign.sum() == 1
        assert len(np.unique(scene.labels[is_lamp])) <= 1
        left, top, right, bottom = scene.boxes[is_sign][0]
        for x, y in (scene.boxes[is_lamp][:, :2] + scene.boxes[is_lamp][:, 2:]) / 2:
            distance = max(left - x, x - right, top - y, y - bottom)
            assert distance >= MIN_DISTANCE_OF_SIGN - 1e-3 > DetectorConfig(LABELS, SIZE).reach


def test_the_sign_is_blue_where_lamps_are_lit() -> None:
    for scene in SCENES:
        left, top, right, bottom = scene.boxes[scene.labels == LABELS.index("sign")][0].astype(int)
        red, _, blue = scene.pixels[top:bottom, left:right].astype(int).reshape(-1, 3).T
        is_blue = (blue - red > 60).sum() > (red - blue > 60).sum()
        lamps = {LABELS[label] for label in scene.labels} & {"lit lamp", "dark lamp"}
        assert lamps in (set(), {"lit lamp" if is_blue else "dark lamp"})
