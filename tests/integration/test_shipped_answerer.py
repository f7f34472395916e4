"""The shipped answerer over a real port: it names shapes and colours of drawn pictures, and its words look at them."""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

import regard

COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "black": (0, 0, 0),
    "gray": (128, 128, 128),
    "teal": (0, 128, 128),
    "brown": (165, 42, 42),
}
SHAPES = ("circle", "rectangle", "triangle")
SIDE, CELLS = 64, 8


@dataclass(frozen=True)
class Drawing:
    """A picture of one shape. Attributes: is_shape: bool [64, 64]."""

    file: bytes
    shape: str
    colour: str
    is_shape: NDArray[np.bool_]


def _draw(shape: str, colour: str, rng: np.random.Generator) -> Drawing:
    ground = tuple(rng.integers(235, 256, 3).tolist())
    size = int(rng.integers(14, 28))
    left, top = rng.integers(0, SIDE - size, 2).tolist()
    corners = (left, top, left + size, top + size)
    image = Image.new("RGB", (SIDE, SIDE), ground)
    pen = ImageDraw.Draw(image)
    if shape == "circle":
        pen.ellipse(corners, COLOURS[colour])
    elif shape == "rectangle":
        pen.rectangle((left, top, left + size, top + round(0.75 * size)), COLOURS[colour])
    else:
        pen.polygon([(left, top + size), (left + size, top + size), (left + size / 2, top)], COLOURS[colour])
    file = io.BytesIO()
    image.save(file, "PNG")
    return Drawing(file.getvalue(), shape, colour, (np.asarray(image) != ground).any(axis=-1))


RNG = np.random.default_rng(0)
DRAWINGS = [_draw(shape, colour, RNG) for colour in COLOURS for shape in SHAPES for _ in range(2)]


def _questions(drawing: Drawing) -> Iterator[tuple[str, str]]:
    """Yields questions with their answers."""
    other = SHAPES[SHAPES.index(drawing.shape) - 1]
    yield "what shape is in the image?", drawing.shape
    yield f"what color is the {drawing.shape}?", drawing.colour
    yield f"is there a {drawing.shape}?", "yes"
    yield f"is a {other} present?", "no"
    yield f"is there not a {drawing.colour} shape in the image?", "no"


def test_shapes_and_colours_are_named(client: regard.Client) -> None:
    num_right = num_asked = 0
    for drawing in DRAWINGS:
        questions, answers = zip(*_questions(drawing), strict=True)
        results = client.answer(drawing.file, questions, model="shapes", top_k=1)
        num_right += sum(result.answer == answer for result, answer in zip(results, answers, strict=True))
        num_asked += len(questions)
    assert num_right >= 0.95 * num_asked


def _cells(drawing: Drawing) -> NDArray[np.bool_]:
    """The cells of the map that hold a part of the shape: bool [8, 8]."""
    cells: NDArray[np.bool_] = drawing.is_shape.reshape(CELLS, CELLS, CELLS, CELLS).max(axis=(1, 3))
    return cells


def test_the_words_of_a_question_look_at_the_shape_and_the_shape_at_them(client: regard.Client) -> None:
    shares, areas, backs, elsewhere = [], [], [], []
    for drawing in DRAWINGS:
        for question, word in (
            (f"what color is the {drawing.shape}?", drawing.shape),
            (f"is there a {drawing.colour} shape?", drawing.colour),
        ):
            result = client.answer(drawing.file, question, model="shapes", attention="encoder_self", words=True)
            attention = result.input.find_map("encoder_self")
            assert attention is not None
            first_layer = attention.values[0].mean(axis=0)  # from each side to the other
            place = [each.text for each in result.input.source_words].index(word)
            cells = _cells(drawing)
            shares.append(result.question_over_picture(first_layer)[place][cells].sum())
            areas.append(cells.mean())
            over_question = result.picture_over_question(first_layer)[..., place]
            backs.append(over_question[cells].mean())
            elsewhere.append(over_question[~cells].mean())
    assert np.mean(shares) > 1.5 * np.mean(areas)
    assert np.mean(backs) > np.mean(elsewhere)


def test_a_picture_without_a_shape_has_an_answer_too(client: regard.Client) -> None:
    file = io.BytesIO()
    Image.new("RGB", (1, 1), (240, 240, 240)).save(file, "PNG")
    result = client.answer(file.getvalue(), "what shape is in the image?", model="shapes")
    assert sum(score.probability for score in result.labels) <= 1.0001
    assert len(result.labels) == 5
