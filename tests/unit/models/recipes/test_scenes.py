"""Scenes: what is in them, and that nothing near a lock tells whether it is open."""

import numpy as np

from regard_models.recipes.scenes import LABELS, MIN_DISTANCE_OF_KEY, SIZE, draw_scene

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


def test_all_labels_occur_and_about_as_many_locks_are_open_as_shut() -> None:
    counts = np.bincount(np.concatenate([scene.labels for scene in SCENES]), minlength=len(LABELS))
    assert (counts > 50).all()
    opened, shut = counts[LABELS.index("open lock")], counts[LABELS.index("shut lock")]
    assert 0.5 < opened / shut < 2


def test_a_scene_without_a_key_has_no_open_lock_and_the_key_of_an_open_one_is_far() -> None:
    for scene in SCENES:
        centres = (scene.boxes[:, :2] + scene.boxes[:, 2:]) / 2
        keys = centres[scene.labels == LABELS.index("key")]
        for lock in centres[scene.labels == LABELS.index("open lock")]:
            assert (np.linalg.norm(keys - lock, axis=1) >= MIN_DISTANCE_OF_KEY - 1e-3).any()
