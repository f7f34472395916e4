"""Source texts to ids: spans, special tokens, truncation, parts, copied words."""

import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regard_service.bundle import Bundle, TextSource, zoo_folder
from regard_service.domain.results import Span
from regard_service.errors import InvalidInput
from regard_service.text.reading import SourceReader
from regard_service.text.tokenizer import encoded, ends_after_accents
from tests.toys import write_summarizer

BUNDLE = Bundle.load(zoo_folder() / "everyday")


READER = SourceReader(BUNDLE)


def read(text: str, truncation: str = "reject"):
    return READER.read(text, field="texts[0]", key="de", truncation=truncation)  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.text(min_size=1, max_size=40).filter(str.strip))
def test_every_character_is_covered_by_a_token(text: str) -> None:
    """No character is lost silently: only white space is outside of all spans."""
    source = read(text)
    assert len(source.ids) == len(source.tokens)
    covered = {i for token in source.tokens if token.span for i in range(token.span.start, token.span.end)}
    assert all(character.isspace() for i, character in enumerate(text) if i not in covered)


def test_white_space_is_one_space() -> None:
    odd, plain = read("  Where is\n\tmy book?\n"), read("Where is my book?")
    assert odd.ids.tolist() == plain.ids.tolist()
    spans = [(t.span.start, t.span.end) for t in odd.tokens if t.span]
    assert odd.text[spans[2][0] : spans[2][1]] == "my"


def test_special_tokens_that_a_user_types_are_text() -> None:
    source = read("</s> <de> <s>")
    assert [token.is_special for token in source.tokens] == [True, *[False] * (len(source.tokens) - 2), True]


def test_a_long_text_is_refused_or_truncated() -> None:
    long, limit = " ".join(["word"] * 1000), BUNDLE.manifest.max_source_tokens
    with pytest.raises(InvalidInput, match=r"texts\[0\].*1000 tokens.*at most"):
        read(long)
    cut = read(long, "truncate")
    assert len(cut.ids) == limit
    assert cut.num_truncated == 1000 - (limit - 2)


def test_a_bundle_without_its_language_token_reads_the_text_alone(tmp_path: Path) -> None:
    source = READER.read("Yes.", field="texts[0]", key="zz", truncation="reject")
    assert not source.tokens[0].is_special


def test_parts_are_the_text_between_the_special_tokens() -> None:
    text = " ".join(f"Sentence number {number} is here." for number in range(200))
    parts = READER.read_parts(text, field="texts[0]", key="de")
    whole = encoded(READER._tokenizer, text).ids
    assert len(parts) > 1
    assert [token.id for part in parts for token in part.tokens if not token.is_special] == whole
    for part in parts:
        assert len(part.tokens) <= BUNDLE.manifest.max_source_tokens
        assert [token.is_special for token in part.tokens] == [True, *[False] * (len(part.tokens) - 2), True]
        first = part.tokens[1].span
        assert first is not None
        assert text[first.start :].startswith("Sentence")


def test_parts_leave_tokens_free() -> None:
    room = BUNDLE.manifest.max_source_tokens - 2
    for reserved, expected in ((4, room - 4), (10_000, room - room // 2)):
        parts = READER.read_parts("a " * 1000, field="texts[0]", key="de", num_reserved=reserved)
        assert max(len(part.tokens) - 2 for part in parts) == expected


def test_a_text_that_fits_is_one_part() -> None:
    [part] = READER.read_parts("Yes. No.", field="texts[0]", key="de")
    assert part.ids.tolist() == read("Yes. No.").ids.tolist()


@pytest.fixture(scope="module")
def copier(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_summarizer(tmp_path_factory.mktemp("bundles") / "copier")


def test_equal_words_are_equal_after_normalization(copier: Bundle) -> None:
    source = SourceReader(copier).read("The IBM, the ibm and XYZ", field="t", key="subject", truncation="reject")
    assert [t.piece for t in source.tokens] == ["<subject>", "the", "IBM", ",", "the", "ibm", "and", "XYZ", "</s>"]
    assert source.words is not None
    assert source.words.tolist() == [0, 1, 2, 3, 1, 2, 6, 7, 8]
    assert source.array.shape == (2, 9)


@given(st.text("ab \u0301\u0327\u00e9", max_size=12))
def test_the_end_behind_accents(text: str) -> None:
    ends = list(ends_after_accents(text))
    assert len(ends) == len(text) + 1
    for position, end in enumerate(ends):
        assert all(unicodedata.combining(character) for character in text[position:end])
        assert end == len(text) or not unicodedata.combining(text[end])


def test_a_text_of_accents_takes_linear_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by fuzzing: 20,000 accents kept a core busy for a minute and a half."""
    num_asked, combining = 0, unicodedata.combining

    def counting(character: str) -> int:
        nonlocal num_asked
        num_asked += 1
        return combining(character)

    monkeypatch.setattr(unicodedata, "combining", counting)
    text = "a" + "\u0301" * 300
    assert read(text, "truncate").tokens[1].span == Span(0, len(text))
    assert num_asked <= 2 * len(text)


def test_accents_belong_to_the_letter_before_them(copier: Bundle) -> None:
    text = "E\u0301te\u0301 of caf\u00e9"
    source = SourceReader(copier).read(text, field="t", key="subject", truncation="reject")
    assert [token.piece for token in source.tokens[1:-1]] == ["E\u0301te\u0301", "of", "caf\u00e9"]
    assert read("A\u0301 b").tokens[2].span == Span(0, 2)


def test_a_model_that_reads_both_languages_gets_them_around_the_text() -> None:
    manifest = BUNDLE.manifest
    assert isinstance(manifest.source, TextSource)
    source = TextSource(
        tokenizer=manifest.source.tokenizer,
        prefix_ids={"de": (4,)},
        suffix_ids=(2,),
        language_prefix_ids={"en": (7,)},
        language_suffix_ids={"en": (8, 9)},
    )
    update = {"source": source, "max_source_tokens": 8}
    reader = SourceReader(replace(BUNDLE, manifest=manifest.model_copy(update=update)))
    text = "One two three four five six."
    ids = reader.read(text, field="text", key="de", truncation="truncate", language="en").ids.tolist()
    assert (ids[:2], ids[-3:], len(ids)) == ([7, 4], [2, 8, 9], 8)
    parts = reader.read_parts(text, field="text", key="de", language="en")
    assert all((p.ids[:2].tolist(), p.ids[-3:].tolist()) == ([7, 4], [2, 8, 9]) for p in parts)
    assert reader.read(text, field="text", key="de", truncation="truncate").ids[0] == 4
