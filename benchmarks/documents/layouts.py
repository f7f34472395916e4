"""Mixed texts of paragraphs, lines, lists, tables and quotations: whether every block and break comes back."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from textwrap import wrap

import regard

NUM_TEXTS = 200
_BREAKS = ("\n", "\r\n", "\n\n", "\n\n\n", "\r\n\r\n", "\u2028", "\x85")
_BULLETS = ("- ", "* ", "\u2022 ", "  - ", "\t* ", "1. ", "2) ", "- [ ] ")
_LAYOUT = re.compile(r"[\n\r\x85\u2028\t]|^[-*\u2022] |\[ \]|^\d[.)] |^> ?|^#+ ", re.MULTILINE)


@dataclass(frozen=True)
class LayoutOutcome:
    """Texts whose layout came back whole.

    Attributes:
        num_marks, num_kept_marks: breaks, bullets and tabs.
    """

    num_texts: int
    num_kept: int
    num_marks: int
    num_kept_marks: int
    lost: tuple[str, ...]


def measure_layout(client: regard.Client, sources: Sequence[str], model: str, to: str, seed: int) -> LayoutOutcome:
    """Translates mixed texts and compares their layout."""
    random = Random(seed)
    texts = [_mixed(random, sources) for _ in range(NUM_TEXTS)]
    results: list[regard.Result] = []
    for start in range(0, NUM_TEXTS, 20):
        results += client.translate(texts[start : start + 20], to, model=model, timeout=600)
    marks = [_LAYOUT.findall(text) for text in texts]
    kept = [_LAYOUT.findall(result.text) for result in results]
    lost = [text for text, before, after in zip(texts, marks, kept, strict=True) if before != after]
    num_kept_marks = sum(min(len(a), len(b)) if a != b else len(a) for a, b in zip(marks, kept, strict=True))
    return LayoutOutcome(NUM_TEXTS, NUM_TEXTS - len(lost), sum(map(len, marks)), num_kept_marks, tuple(lost[:5]))


def _mixed(random: Random, sources: Sequence[str]) -> str:
    def some(count: int) -> list[str]:
        return [random.choice(sources) for _ in range(count)]

    blocks: Sequence[Callable[[], str]] = (
        lambda: " ".join(some(random.randint(1, 4))),
        lambda: random.choice(("\n", "\r\n")).join(some(random.randint(2, 4))),
        lambda: "\n".join(random.choice(_BULLETS) + each for each in some(random.randint(2, 5))),
        lambda: "\n".join(wrap(" ".join(some(5)), random.choice((60, 72, 80)))),
        lambda: "".join(f"> {line}\r\n" for line in wrap(" ".join(some(4)), 70)),
        lambda: "\t".join(some(3)),
        lambda: f"## {random.choice(sources)}",
        lambda: "   " + random.choice(sources) + "  ",
        lambda: "* * *",
    )
    pieces = [random.choice(("", "\n", " "))]
    for _ in range(random.randint(2, 6)):
        pieces += [random.choice(blocks)(), random.choice(_BREAKS)]
    return "".join(pieces)
