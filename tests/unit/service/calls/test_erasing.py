"""What is erased of an input: those units, and no other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.calls.erasing import Units
from regard_service.calls.inputs import SourceQuestion
from regard_service.domain.results import ImageGrid, Span, Token
from regard_service.engine.runtime.questions import pixels_of
from regard_service.pictures.reader import SourceImage
from regard_service.text.reading import SourceText


def text(num_tokens: int) -> SourceText:
    own = [Token(10 + at, "a", Span(at, at + 1), is_special=False) for at in range(num_tokens)]
    begin, end = Token(1, "[CLS]", None, is_special=True), Token(2, "[SEP]", None, is_special=True)
    return SourceText("a" * num_tokens, (begin, *own, end))


def picture(rows: int, columns: int, height: int, width: int) -> SourceImage:
    pixels = np.random.default_rng(0).random((3, height, width), np.float32)
    return SourceImage(pixels, ImageGrid(rows, columns, width, height, (0, 0, width, height), 1))


@given(st.integers(1, 8), st.data())
def test_what_is_kept_and_what_is_erased_are_the_text(num_tokens: int, data: st.DataObject) -> None:
    units = Units.of(text(num_tokens))
    chosen = data.draw(st.sets(st.sampled_from(units.indexes)))
    without, only = units.without(chosen), units.only(chosen)
    assert isinstance(without, SourceText)
    assert isinstance(only, SourceText)
    ids = {9 + index for index in chosen}
    assert set(only.ids.tolist()) == ids | {1, 2}
    assert set(without.ids.tolist()) == set(units.part.array.tolist()) - ids
    assert list(without.ids) == sorted(without.ids, key=lambda token: (token == 2, token))


@given(st.sampled_from([(2, 3, 8, 12), (3, 3, 7, 8)]), st.data())
def test_erased_regions_have_the_mean_colour(shape: tuple[int, int, int, int], data: st.DataObject) -> None:
    image = picture(*shape)
    units = Units.of(image)
    chosen = data.draw(st.sets(st.sampled_from(units.indexes)))
    without, only = units.without(chosen).array, units.only(chosen).array
    mean = image.array.mean(axis=(1, 2), keepdims=True)
    is_hidden = (without != image.array).any(axis=0)
    np.testing.assert_allclose(without[:, is_hidden], np.broadcast_to(mean, image.array.shape)[:, is_hidden], atol=1e-6)
    np.testing.assert_allclose(only[:, ~is_hidden], np.broadcast_to(mean, image.array.shape)[:, ~is_hidden], atol=1e-6)
    np.testing.assert_array_equal(only[:, is_hidden], image.array[:, is_hidden])
    if shape[2] % shape[0] == 0:
        assert is_hidden.sum() == len(chosen) * shape[2] * shape[3] // (shape[0] * shape[1])


def test_of_a_picture_with_a_question_regions_are_erased_and_the_question_stays() -> None:
    image, question = picture(2, 3, 8, 12), text(4)
    units = Units.of(SourceQuestion(image, question))
    assert (units.first, units.num_listed) == (len(question.tokens) + 1, 6)
    without = units.without([1, 4])
    assert isinstance(without, SourceQuestion)
    assert without.question == question
    np.testing.assert_array_equal(without.picture.array, Units.of(image).without([1, 4]).array)
    np.testing.assert_array_equal(pixels_of(without.array), without.picture.array)


def test_of_equal_scores_the_first_are_the_strongest() -> None:
    units = Units.of(text(4))
    assert units.strongest([9.0, 0.1, 0.5, 0.5, 0.1, 9.0], 3) == (2, 3, 1)


@pytest.mark.parametrize("part", [text(3), picture(2, 2, 4, 4)])
def test_scores_have_a_place_for_each_token_or_region(part: SourceText | SourceImage) -> None:
    assert Units.of(part).num_listed == (5 if isinstance(part, SourceText) else 4)
