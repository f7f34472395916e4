"""Sentences: cut at their ends and nowhere else."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.passages.sentences import sentences

CASES = [
    ("en", "He met Mrs. Green at 5 p.m. | They spoke for an hour."),
    ("en", "My sister lives in a small house. | She has two dogs. | The bus is late."),
    ("en", "I came.|I saw.|I won."),
    ("en", "It costs 3.50 dollars. | That is $3.50. | OK?"),
    ("en", "J. R. R. Tolkien wrote it. | George W. Bush did not."),
    ("en", "See https://example.org/a.b?c=d. | It is good. | Or www.foo.com. | Yes."),
    ("en", 'He said "I am here. Go away." | Then he left.'),
    ("en", '"Really?" she asked. | "Yes!"'),
    ("en", "U.S. troops left. | He lives in the U.S. | She does not."),
    ("en", "Version 2.0.1 is out. | Node.js is great. | Open file.txt now."),
    ("en", "1. First item. | 2. Second item. | (3) Third."),
    ("en", "Call System.Out.Println now. | Yes."),
    ("en", "The end... | And then?"),
    ("en", "She likes me. | Tom said no. | I am ill. | Mary left. | See no. 5."),
    ("es", "Canta bien. | Una tarde vino al mar. | Tom dijo que no."),
    ("de", "Er liebt mich. | Sie gehen. | Nach Art. 5 ist das so."),
    ("zh", "你好。|我是学生。|你呢？|他说：“好的。”|然后走了。"),
    ("ja", "今日は。|元気ですか？"),
    ("ar", "مرحبا. | كيف حالك؟ | أنا بخير."),
    ("hi", "मैं घर जा रहा हूँ। | तुम कहाँ हो?"),
    ("th", "สวัสดีครับ ผมชื่อสมชาย คุณชื่ออะไร"),
    ("de", "Am 3. Mai kam Dr. Müller z. B. nach Berlin. | Er blieb bis ca. 5 Uhr."),
    ("fr", "M. Dupont est là. | Il dit : « Bonjour ! » | Puis il part."),
    ("es", "¿Cómo estás? | ¡Bien! | El Sr. López llegó."),
    ("", "No language. | Two sentences."),
]


@pytest.mark.parametrize(("language", "marked"), CASES)
def test_sentences_end_where_they_end(language: str, marked: str) -> None:
    text = marked.replace("|", "") if "." in marked and marked[marked.index("|") - 1 :][:1] != " " else ""
    text = text or marked.replace(" | ", " ").replace("|", "")
    found = [text[slice(*span)] for span in sentences(text, language)]
    assert found == [each.strip() for each in marked.split("|")]


@given(st.text(), st.sampled_from(["en", "de", "fr", "ja", "zh-Hans", "pt_BR", "eng_Latn", "", "xx"]))
def test_sentences_are_in_order_and_outside_of_them_is_white_space(text: str, language: str) -> None:
    end = 0
    for span in sentences(text, language):
        assert text[end : span.start].strip() == ""
        assert text[slice(*span)] == text[slice(*span)].strip() != ""
        end = span.end
    assert text[end:].strip() == ""


@pytest.mark.parametrize("piece", [".", "a.", "a.B", '"', "(", "1. ", "! ", ".\u201d", "A. ", "e.g. ", "x" * 50 + ".Y"])
def test_time_is_linear(piece: str) -> None:
    def cost(length: int) -> float:
        text = (piece * (length // len(piece) + 1))[:length]
        begin = time.process_time()
        sentences(text, "en")
        return time.process_time() - begin

    cost(1_000)
    # Four times the text takes 4 times as long, or 16 times where time is quadratic.
    assert min(cost(400_000) for _ in range(3)) < 10 * max(min(cost(100_000) for _ in range(3)), 0.002)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("He left. (He was late.) Then he came.", ["He left.", "(He was late.)", "Then he came."]),
        ("(He was not.) Really?!", ["(He was not.)", "Really?!"]),
        ("We go (he said so.) Then.", ["We go (he said so.) Then."]),
        ("It runs ./run.sh or ..\\x.bat. Stop.", ["It runs ./run.sh or ..\\x.bat.", "Stop."]),
        ("Type `a. Go` now. Stop.", ["Type `a. Go` now.", "Stop."]),
        ("Give {{ a. Go }} now. Stop.", ["Give {{ a. Go }} now.", "Stop."]),
    ],
)
def test_sentences_end_at_brackets_and_not_within_what_is_copied(text: str, found: list[str]) -> None:
    assert [text[slice(*span)] for span in sentences(text, "en")] == found


def test_marks_that_nobody_sees_are_no_sentence() -> None:
    for text in ("\u202eThe dog sleeps.\u202c", "It is late.\u200b"):
        assert [text[slice(*each)] for each in sentences(text, "en")] == [text]


def test_sentences_end_at_the_breaks_of_strings() -> None:
    text = "The dog sleeps.\\nThe cat eats."
    assert [text[slice(*each)] for each in sentences(text, "en")] == ["The dog sleeps.", "\\n", "The cat eats."]
