"""Lengths of real inputs and outputs: `python -m benchmarks.peers.lengths --data DIR` counts them into lengths.json.

Translations are one third each of everyday sentences (Tatoeba), descriptions (Multi30k) and sentences of news
(Reuters-21578). The last have no translations: their output lengths follow length ratios drawn from the others. The
tokenizers of the shipped models count the tokens.
"""

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from tokenizers import Tokenizer

from benchmarks.peers.models import SHIPPED
from benchmarks.quality.corpus import read_lines

FILE = Path(__file__).with_name("lengths.json")
PER_SOURCE = 200
SHORTEST, LONGEST = 4, 128
LONGEST_DOCUMENT = 512
PICTURE = 197  # positions of a ViT-base: 14 x 14 patches and the class token

Pair = tuple[int, int]
"""Number of tokens of an input, including special tokens, and of its output."""


def length_pairs(kind: str) -> list[Pair]:
    """The counted lengths of a kind: "translation", "summarization" or "captioning"."""
    counted: dict[str, list[list[int]]] = json.loads(FILE.read_text(encoding="utf-8"))
    return [(source, target) for source, target in counted[kind]]


@click.command()
@click.option("--data", type=click.Path(exists=True, path_type=Path), required=True, metavar="DIR", help="Data sets.")
def main(data: Path) -> None:
    """Counts lengths in the data sets of the quality benchmark."""
    drawn = random.Random(0)
    counted = {
        "translation": _translations(data, drawn),
        "summarization": _summaries(data, drawn),
        "captioning": _captions(data, drawn),
    }
    rows = (f' "{kind}": {json.dumps(found)}' for kind, found in counted.items())
    FILE.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")


def _translations(data: Path, drawn: random.Random) -> list[Pair]:
    count = _counter("everyday")
    found: list[Pair] = []
    for folder, name in (("tatoeba/en-de", "dev"), ("multi30k", "val")):
        sides = [read_lines(data / folder / f"{name}.{language}.gz", None) for language in ("en", "de")]
        texts = drawn.sample(list(zip(*sides, strict=True)), PER_SOURCE)
        found += [(_clipped(count(source) + 2), _clipped(count(target) + 1)) for source, target in texts]
    ratios = [target / source for source, target in found]
    for sentence in drawn.sample(_news(data), PER_SOURCE):
        length = count(sentence) + 2
        found.append((_clipped(length), _clipped(round(length * drawn.choice(ratios)))))
    return found


def everyday_descriptions_and_news(data: Path) -> list[str]:
    """English sentences, one third of each kind, drawn as for the lengths of translations."""
    drawn = random.Random(0)
    lines = [read_lines(data / name, None) for name in ("tatoeba/en-de/dev.en.gz", "multi30k/val.en.gz")]
    return [text for kind in (*lines, _news(data)) for text in drawn.sample(kind, PER_SOURCE)]


def _news(data: Path) -> list[str]:
    stories = _records(data / "reuters21578_headlines" / "dev.jsonl.gz")
    return [s for story in stories for s in re.split(r"(?<=[.!?])\s+", story["body"]) if len(s) > 20]


def _summaries(data: Path, drawn: random.Random) -> list[Pair]:
    count = _counter("headlines")
    found = []
    for folder, summary in (("aeslc", "subject"), ("reuters21578_headlines", "headline")):
        for each in drawn.sample(_records(data / folder / "dev.jsonl.gz"), PER_SOURCE):
            found.append((_clipped(count(each["body"]) + 2, LONGEST_DOCUMENT), _clipped(count(each[summary]) + 1)))
    return found


def _captions(data: Path, drawn: random.Random) -> list[Pair]:
    count = _counter("flickr8k")
    records = drawn.sample(_records(data / "flickr8k" / "dev.jsonl.gz"), PER_SOURCE)
    return [(PICTURE, _clipped(count(drawn.choice(each["captions"])) + 1)) for each in records]


def _counter(model: str) -> Callable[[str], int]:
    """Returns a function that counts a text's pieces with a shipped model's tokenizer."""
    tokenizer = Tokenizer.from_file(str(SHIPPED / model / "tokenizer.json"))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def _clipped(length: int, longest: int = LONGEST) -> int:
    return min(max(length, SHORTEST), longest)


def _records(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in read_lines(file, None)]


if __name__ == "__main__":
    main()
