"""The vocabulary of words: how text splits into words, and that it contains no personal names."""

import pytest
from tokenizers import Tokenizer

from regard_models.recipes.names import FIRST_NAMES
from regard_models.recipes.word_vocabulary import NO_NAMES, WordUse, build_tokenizer, choose_words, words


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return build_tokenizer(["▁the", "▁meeting", ",", "'s"], ["<subject>"])


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("The  U.S. (and\nJapan)", ["▁the", "▁u.s.", "▁(", "and", "▁japan", ")"]),
        ("Don't e-mail Smith's 3.5 pct, $500!", "▁don't ▁e - mail ▁smith 's ▁3.5 ▁pct , ▁$ 500 !".split()),
        ("me@host.com 12:30 <KAWH.T>", ["▁me", "@", "host.com", "▁12", ":", "30", "▁<", "kawh.t", ">"]),
        ("It\u2019s \u2581 caf\u00e9", ["▁it", "'s", "▁_", "▁café"]),
    ],
)
def test_text_is_cut_into_words_and_marks(tokenizer: Tokenizer, text: str, pieces: list[str]) -> None:
    assert words(tokenizer, text) == pieces
    assert len(tokenizer.encode(text).ids) == len(pieces)


def test_known_words_come_back_as_text(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("The meeting, the meeting's").ids
    assert tokenizer.decode(ids, skip_special_tokens=False) == "the meeting, the meeting's"


def test_special_tokens_that_are_typed_are_text(tokenizer: Tokenizer) -> None:
    special = set(tokenizer.get_added_tokens_decoder())
    assert set(tokenizer.encode("<subject> the </s> <unk>").ids) & special == {tokenizer.token_to_id("<unk>")}
    assert words(tokenizer, "<subject>") == ["▁<", "subject", ">"]


EMAIL = """Dear Quorra,
please send the weekly report to Zebulon and to Quorra by noon, or call 555-123 4567.
The report is late. Ask the ISDA desk on Monday or write to zeb@example.com at the Enron office.
We met Petra in Ruritania.
Zebulon Falk"""


@pytest.fixture(scope="module")
def emails() -> WordUse:
    return WordUse([EMAIL] * 20)


def _chosen(emails: WordUse, *stories: str) -> set[str]:
    return {piece.lstrip("▁") for piece in choose_words(emails, WordUse(stories), min_emails=20, min_stories=2)}


def test_names_numbers_and_addresses_of_emails_stay_out(emails: WordUse) -> None:
    chosen = _chosen(emails)
    assert {"weekly", "report", "please", "isda", "monday", "enron", "."} <= chosen
    # Names in greetings and signatures, a first name, an always capitalized place, parts of numbers and addresses.
    assert not {"quorra", "zebulon", "falk", "petra", "ruritania", "555", "4567", "example.com", "@"} & chosen


def test_a_word_must_stand_in_enough_emails(emails: WordUse) -> None:
    rare = WordUse([EMAIL] * 20 + ["a kumquat is rare"] * 19)
    assert "kumquat" not in _chosen(rare)
    assert "kumquat" in _chosen(WordUse([EMAIL] * 20 + ["a kumquat is rare"] * 20))
    assert "kumquat" not in _chosen(WordUse(["kumquat " * 100]))


def test_news_bring_words_but_no_names_that_the_emails_know(emails: WordUse) -> None:
    story = "Officials of Freedonia met Zebulon and James Falkenhayn on tariffs"
    chosen = _chosen(emails, story, story)
    assert {"freedonia", "tariffs", "falkenhayn"} <= chosen
    assert not {"zebulon", "james"} & chosen
    assert "freedonia" not in _chosen(emails, story)


def test_lists_do_not_contradict_each_other() -> None:
    assert not FIRST_NAMES & NO_NAMES
    assert all(name == name.lower() and name.isalpha() for name in FIRST_NAMES)
