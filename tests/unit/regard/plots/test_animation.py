"""Attention over time: an animation has a frame for each word."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from regard.plots import save_animation
from regard.values.outputs import ImageGrid

PICTURE = Image.new("RGB", (120, 80), "white")
GRID = ImageGrid(2, 3, 0, 120, 80, (0.0, 0.0, 120.0, 80.0))


@pytest.mark.parametrize("ending", ["gif", "webp"])
def test_an_animation_has_a_frame_for_each_word_and_all_differ(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"words.{ending}"
    save_animation(path, np.eye(4, 6, dtype=np.float32), [], "w x y z".split(), picture=PICTURE, grid=GRID)
    with Image.open(path) as animation:
        assert animation.format == ending.upper()
        assert animation.info["loop"] == 0
        frames = [np.asarray(frame.convert("L"), np.int16) for frame in ImageSequence.Iterator(animation)]
    assert len(frames) == 4
    for first, second in itertools.pairwise(frames):
        assert np.abs(first - second).max() > 60


def test_an_animation_of_a_text_has_a_frame_for_each_word(tmp_path: Path) -> None:
    path = tmp_path / "words.gif"
    save_animation(path, np.eye(3, dtype=np.float32), ["ein", "文字", "שלום"], ["one", "two", "three"], theme="dark")
    with Image.open(path) as animation:
        assert getattr(animation, "n_frames", 1) == 3
    with pytest.raises(ValueError, match=r"\.gif or \.webp"):
        save_animation(tmp_path / "words.mp4", np.eye(1, dtype=np.float32), ["a"], ["b"])


def test_an_animation_of_a_long_text_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"an animation of 1500 words has \d+ pixels; the limit is"):
        save_animation(tmp_path / "long.gif", np.eye(1500, dtype=np.float32), ["word"] * 1500, ["word"] * 1500)
    assert not (tmp_path / "long.gif").exists()
