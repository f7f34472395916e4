"""Texts that a model cannot read well: made of clean ones, to learn what its doubtful outputs look like."""

import random
from collections.abc import Callable, Mapping, Sequence

from regard_export.examples.dev_sets import DevExample
from regard_export.examples.sentences import EXAMPLE_SENTENCES

DROPPED_SHARE = 0.5  # of a source's words
NOISE_SHARE = 0.4  # of a source's letters

_SETTING_NAMES = (
    "max_batch_size", "timeout_s", "log_level", "num_workers", "cache_dir", "port", "verbose", "retries", "tls_key",
    "proxy", "compression", "user_agent",
)  # fmt: skip

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


def everyday_sentences(rng: random.Random, source: str, other: DevExample) -> str:
    """Takes sentences of no connection, which have no summary."""
    return " ".join(rng.sample(EXAMPLE_SENTENCES, rng.randrange(3, 9)))


def settings_file(rng: random.Random, source: str, other: DevExample) -> str:
    """Takes lines of names with values."""
    names = rng.sample(_SETTING_NAMES, rng.randrange(4, len(_SETTING_NAMES)))
    return "\n".join(f"{name} = {rng.choice(('true', 'false', rng.randrange(9000)))}" for name in names)


CORRUPTIONS: Mapping[str, Corruption] = {
    "dropped words": drop_words,
    "shuffled words": shuffle_words,
    "noise": replace_letters,
    "another language": other_language,
}
"""Of a translator's sources."""

DOCUMENT_CORRUPTIONS: Mapping[str, Corruption] = {
    "shuffled words": shuffle_words,
    "noise": replace_letters,
    "everyday sentences": everyday_sentences,
    "settings": settings_file,
}
"""Of a summarizer's sources, which stay documents of their kind without half of their words."""


def corrupted(kind: str, examples: Sequence[DevExample], seed: int = 0) -> list[str]:
    """Returns a corrupted source for each example. Repeatable."""
    rng, corrupt = random.Random(f"{kind} {seed}"), {**CORRUPTIONS, **DOCUMENT_CORRUPTIONS}[kind]
    others = [*examples[1:], *examples[:1]]
    return [corrupt(rng, str(each.source), other) for each, other in zip(examples, others, strict=True)]
