"""A toy language for the checkpoints beside this file: sentences of a small grammar, and their translations.

The verb goes last, so that attention has something to follow.
"""

import random

WORDS = {
    "the": "der", "a": "ein", "old": "alte", "young": "junge", "man": "mann", "woman": "frau", "dog": "hund",
    "cat": "katze", "reads": "liest", "sees": "sieht", "hears": "hoert", "loves": "liebt", "book": "buch",
    "house": "haus", "song": "lied",
}  # fmt: skip
NOUNS = ("man", "woman", "dog", "cat", "book", "house", "song")
VERBS = ("reads", "sees", "hears", "loves")
TEXTS = ("the old man reads a book", "a cat sees the young dog", "the woman hears the unknown song")


def sentence_pairs(number: int) -> list[tuple[str, str]]:
    """Sources and targets, the same at every call."""
    chance = random.Random(0)
    return [_pair(chance) for _ in range(number)]


def _pair(chance: random.Random) -> tuple[str, str]:
    subject, verb, object_ = _noun_phrase(chance), chance.choice(VERBS), _noun_phrase(chance)
    target = [WORDS[word] for word in (*subject, *object_, verb)]
    return " ".join((*subject, verb, *object_)), " ".join(target)


def _noun_phrase(chance: random.Random) -> list[str]:
    adjective = [chance.choice(("old", "young"))] if chance.random() < 0.5 else []
    return [chance.choice(("the", "a")), *adjective, chance.choice(NOUNS)]
