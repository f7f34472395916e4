"""Tokenizes own sentences; the tokenizer was compared with the data set's files line by line when it was written."""

import pytest

from benchmarks.quality.moses import tokenize


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("ein hund, der läuft.", "ein hund , der läuft ."),
        ("ein blau-weißes boot (klein) im hafen!", "ein blau-weißes boot ( klein ) im hafen !"),
        ("er sagt: „komm her.“", "er sagt : &quot; komm her &quot; ."),
        ("ca. 1,5 meter, z.b. hier", "ca. 1,5 meter , z.b. hier"),
        ("das trikot mit der nummer 7.", "das trikot mit der nummer 7."),
        ("um 120. rot & blau", "um 120. rot &amp; blau"),
        ("warten ... und gehen…", "warten ... und gehen ..."),
        ("oma's haus", "oma &apos; s haus"),
    ],
)
def test_german(text: str, tokens: str) -> None:
    assert tokenize(text, "de") == tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("l'homme d'affaires court aujourd'hui.", "l&apos; homme d&apos; affaires court aujourd&apos; hui ."),
        ("il lit « le monde » ici", "il lit &quot; le monde &quot; ici"),
        ("une œuvre d'art.", "une œuvre d&apos; art."),
        ("les années '80", "les années &apos; 80"),
    ],
)
def test_french(text: str, tokens: str) -> None:
    assert tokenize(text, "fr") == tokens
