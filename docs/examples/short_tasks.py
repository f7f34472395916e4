"""Calls of the shipped models that answer in one step: objects in a picture, answers about one, labels of one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console

import regard
from regard.arrays import Float32Array
from regard.terminal.regions import region_lines
from regard.values.encodings import ReadInput
from regard.values.labels import Label

DRAWINGS = Path(__file__).parent / "drawings"
QUESTIONS = ("what color is the triangle?", "is there not a blue shape in the image?")
WITHOUT_BUNDLE = (
    "Encode and FillMask have no shipped model: `regard export` makes one of any BERT or sentence-transformers folder"
)


def show_objects(console: Console, client: regard.Client) -> None:
    """Finds objects, and prints for each where in the picture the model looked, and whether its score rests on that."""
    result = client.detect(
        DRAWINGS / "lamps.png", model="lamps", attention="alignment", explain=["alignment", "random"]
    )
    _print(console, "lamps.png", "detect")
    for found in result.detections:
        own, random = found.explanations
        left, top, right, bottom = found.box
        console.print(
            f"[bold green]{found.label}[/bold green] {found.score:.2f}, "
            f"({left:.0f}, {top:.0f}) to ({right:.0f}, {bottom:.0f}): falls by {own.comprehensiveness:.2f} without "
            f"what its map points at, by {random.comprehensiveness:.2f} without random regions",
            highlight=False,
        )
    labels = [Label(each.label) for each in result.detections]
    maps = [result.map_of(index) for index in range(len(labels))]
    _print_maps(console, labels, maps)
    _print_timings(console, result.input)


def show_answers(console: Console, client: regard.Client) -> None:
    """Answers questions about a picture, and prints for each word where in the picture it looked."""
    for question in QUESTIONS:
        result = client.answer(
            DRAWINGS / "triangle.png", question, model="shapes", attention="encoder_self", words=True
        )
        _print(console, f"triangle.png: {question}", "answer")
        best = result.labels[0]
        console.print(f"[bold green]{result.answer}[/bold green] {best.probability:.2f}", highlight=False)
        maps = result.input.find_map("encoder_self")
        if maps is not None:
            over_picture = result.question_over_picture(maps.values[0].mean(axis=0))
            labels = [Label(word.text, word.special) for word in result.input.source_words]
            _print_maps(console, labels, list(over_picture))
        _print_timings(console, result.input)


def show_labels(console: Console, client: regard.Client) -> None:
    """Labels a picture."""
    result = client.classify_images(DRAWINGS / "digits.png", model="digits", top_k=3)
    _print(console, "digits.png", "classify")
    console.print(", ".join(f"{each.label} {each.probability:.2f}" for each in result.labels), highlight=False)
    _print_timings(console, result.input)


SHOWN: dict[str, Callable[[Console, regard.Client], None]] = {
    "lamps": show_objects,
    "shapes": show_answers,
    "digits": show_labels,
}
"""By the name of the shipped model."""


def show_short_tasks(console: Console, client: regard.Client) -> None:
    """Calls each of these models that is served."""
    console.rule("pictures: objects, answers, labels (models lamps, shapes, digits)")
    served = {each.name for each in client.models()}
    for name, show in SHOWN.items():
        if name in served:
            show(console, client)
    console.print(f"\n{WITHOUT_BUNDLE}", style="dim", highlight=False)


def _print(console: Console, source: str, what: str) -> None:
    console.print(f"\n[bold]{source}[/bold]\n{what}:", highlight=False)


def _print_maps(console: Console, labels: list[Label], maps: list[Float32Array]) -> None:
    """Prints a grid over the picture for each label."""
    if not labels:
        return
    for line in region_lines(labels, np.stack(maps), console.width, in_colour=console.color_system is not None):
        console.print(line, no_wrap=True, overflow="crop", crop=True)


def _print_timings(console: Console, read: ReadInput) -> None:
    timings = read.timings
    console.print(
        f"{read.model} {read.model_version}: queue {timings.queue_ms:.1f} ms, encode {timings.encode_ms:.1f} ms",
        style="dim",
        highlight=False,
    )
