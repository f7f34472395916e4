"""What a stranger types first, through the shipped translator: each gets one of a few right translations."""

import re

import pytest

import regard

MORNING = "Good morning! How are you today?"
PRICE = "It costs $3.50."

# Patterns of right translations: with the formal or the familiar address, and with the adverbs where they may stand.
RIGHT = {
    ("HELLO", "de"): r"HALLO|GUTEN TAG",
    ("HELLO", "fr"): r"BONJOUR|SALUT",
    ("HELLO", "es"): r"HOLA|BUENAS",
    (MORNING, "de"): r"Guten Morgen! Wie (geht es|geht's) (dir|Ihnen|euch) heute\?",
    (MORNING, "fr"): r"Bonjour ! Comment (allez-vous|vas-tu|ça va|tu vas|vous allez|te sens-tu) aujourd'hui \?",
    (MORNING, "es"): r"¡(Buenos días|Buen día)! ¿(Cómo (estás|está|está usted|están|te va)|Qué tal( estás)?) hoy\?",
    (PRICE, "de"): r"(Es|Das) kostet 3,50 (\$|Dollar)\.",
    (PRICE, "fr"): r"(Ça|Cela|Il|Elle) coûte 3,50 (\$|dollars)\.",
    (PRICE, "es"): r"Cuesta (3[,.]50 (\$|dólares)|\$3[,.]50)\.",
}


def plain(text: str) -> str:
    """The text with plain spaces and apostrophes: French has others before its marks."""
    return re.sub(r"[\u00a0\u202f]", " ", text).replace("\u2019", "'")


@pytest.mark.parametrize("beams", [1, 4])
@pytest.mark.parametrize(("text", "language"), RIGHT)
def test_a_plain_sentence_is_translated_right(client: regard.Client, text: str, language: str, beams: int) -> None:
    found = client.translate(text, language, model="everyday", num_beams=beams).text
    assert re.fullmatch(RIGHT[text, language], plain(found)), found


@pytest.mark.parametrize("language", ["de", "fr", "es"])
@pytest.mark.parametrize(("text", "other"), [("Hello", "Hello."), ("HELLO.", "Hello."), ("thank you", "Thank you.")])
def test_case_and_final_marks_change_nothing_else(client: regard.Client, text: str, other: str, language: str) -> None:
    found, expected = client.translate([text, other], language, model="everyday")
    assert found.text.casefold().rstrip(".!") == expected.text.casefold().rstrip(".!")
