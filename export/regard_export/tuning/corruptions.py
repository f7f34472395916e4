"""Sources that a translator cannot translate well: made of clean ones, to learn what its doubtful outputs look like."""

import random
from collections.abc import Callable, Mapping, Sequence

from regard_export.examples.dev_sets import DevExample

DROPPED_SHARE = 0.5  # of a source's words
NOISE_SHARE = 0.4  # of a source's letters

Corruption = Callable[[random.Random, str, DevExample], str]
"""Makes a corrupted source of a clean one. Args: its random numbers, the source, another example."""


def drop_words(rng: random.Random, source: str, other: DevExample) -> str:
    """Leaves out half of the words."""
    words = source.split()
    num_kept = max(1, round(len(words) * (1 - DROPPED_SHARE)))
    return " ".join(words[i] for i in sorted(rng.sample(range(len(words)), num_kept)))


def shuffle_words(rng: random.Random, source: str, other: DevExample) -> str:
    """Changes the order of the words."""
    words = source.split()
    rng.shuffle(words)
    return " ".join(words)


def replace_letters(rng: random.Random, source: str, other: DevExample) -> str:
    """Replaces letters by others of the same text."""
    letters = [character for character in source if character.isalpha()] or ["a"]
    return "".join(
        rng.choice(letters) if character.isalpha() and rng.random() < NOISE_SHARE else character for character in source
    )


def other_language(rng: random.Random, source: str, other: DevExample) -> str:
    """Takes a text of the language that the model writes."""
    return other.references[0]


CORRUPTIONS: Mapping[str, Corruption] = {
    "dropped words": drop_words,
    "shuffled words": shuffle_words,
    "noise": replace_letters,
    "another language": other_language,
}


def corrupted(kind: str, examples: Sequence[DevExample], seed: int = 0) -> list[str]:
    """Returns a corrupted source for each example. Repeatable."""
    rng, corrupt = random.Random(f"{kind} {seed}"), CORRUPTIONS[kind]
    others = [*examples[1:], *examples[:1]]
    return [corrupt(rng, str(each.source), other) for each, other in zip(examples, others, strict=True)]
