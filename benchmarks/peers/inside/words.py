"""Made-up words of random syllables, and sentences of these words."""

import random
from collections.abc import Iterator
from functools import cache

NUM_WORDS = 6000
SYLLABLES = [consonant + vowel for consonant in "bcdfghklmnprstvz" for vowel in "aeiou"]


@cache
def made_up_words() -> tuple[str, ...]:
    """Returns the same words in every process."""
    drawn = random.Random(1)
    return tuple("".join(drawn.choices(SYLLABLES, k=drawn.randint(1, 4))) for _ in range(NUM_WORDS))


def made_up_sentences(drawn: random.Random, number: int) -> Iterator[str]:
    """Yields sentences of 4 to 14 words."""
    words = made_up_words()
    for _ in range(number):
        yield " ".join(drawn.choices(words, k=drawn.randint(4, 14)))
