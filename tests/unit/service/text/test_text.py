"""Text to ids and back: spans, special tokens, truncation, and text that grows token by token."""

import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from regard_service.bundle import Bundle, TextSource, zoo_folder
from regard_service.domain.results import Span, Token
from regard_service.errors import InvalidInput
from regard_service.text.reading import SourceReader, _ends_after_accents
from regard_service.text.writing import TargetText, TargetWriter, join_texts

from tests.toys import write_summarizer

BUNDLE = Bundle.load(zoo_folder() / "everyday")
READER = SourceReader(BUNDLE)
WRITER = TargetWriter(BUNDLE)
VOCAB_SIZE = BUNDLE.manifest.target.vocab_size


def read(text: str, truncation: str = "reject"):
    return READER.read(text, field="texts[0]", key="de", truncation=truncation)  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.text(min_size=1, max_size=40).filter(str.strip))
def test_every_character_is_covered_by_a_token(text: str) -> None:
    """No input character is lost silently: what no span covers is white space."""
    source = read(text)
    assert len(source.ids) == len(source.tokens)
    covered = {i for token in source.tokens if token.span for i in range(token.span.start, token.span.end)}
    assert all(character.isspace() for i, character in enumerate(text) if i not in covered)


@settings(deadline=None)
@given(st.lists(st.integers(0, VOCAB_SIZE - 1), max_size=30))
def test_any_ids_make_text_with_spans_in_order(ids: list[int]) -> None:
    """Also ids that no sane model makes: half characters, bytes that are no UTF-8."""
    written = WRITER.write(np.array(ids, np.int64), np.zeros(len(ids), np.float32))
    assert len(written.tokens) == len(ids)
    end = 0
    for token in written.tokens:
        if token.span is not None:
            assert end <= token.span.start <= token.span.end <= len(written.text)
            end = token.span.end
    assert "".join(written.text.split()) == "".join(
        "".join(written.text[t.span.start : t.span.end].split()) for t in written.tokens if t.span
    )


@settings(deadline=None)
@given(st.text(max_size=30))
def test_text_that_went_through_ids_comes_back(text: str) -> None:
    normal = " ".join(text.replace("▁", "_").split())
    encoding = WRITER._tokenizer.encode(normal, add_special_tokens=False)
    written = WRITER.write(np.array(encoding.ids, np.int64), np.zeros(len(encoding.ids), np.float32))
    assert written.text == WRITER._tokenizer.normalizer.normalize_str(normal)


def test_white_space_is_one_space() -> None:
    odd, plain = read("  Where is\n\tmy book?\n"), read("Where is my book?")
    assert odd.ids.tolist() == plain.ids.tolist()
    spans = [(t.span.start, t.span.end) for t in odd.tokens if t.span]
    assert odd.text[spans[2][0] : spans[2][1]] == "my"


def test_special_tokens_that_a_user_types_are_text() -> None:
    source = read("</s> <de> <s>")
    assert [token.is_special for token in source.tokens] == [True, *[False] * (len(source.tokens) - 2), True]


def test_a_character_of_several_tokens_adds_its_text_with_the_last() -> None:
    stream = WRITER.stream()
    ids = WRITER._tokenizer.encode("日", add_special_tokens=False).ids
    lengths = []
    for token_id in ids:
        stream.add(token_id, 0.0)
        lengths.append(len(stream.text))
    assert stream.text == "日"
    assert lengths == [0] * (len(ids) - 1) + [1]


def test_too_long_a_text_is_refused_or_cut_and_said_so() -> None:
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
    whole = READER._tokenizer.encode(text, add_special_tokens=False).ids
    assert len(parts) > 1
    assert [token.id for part in parts for token in part.tokens if not token.is_special] == whole
    for part in parts:
        assert len(part.tokens) <= BUNDLE.manifest.max_source_tokens
        assert [token.is_special for token in part.tokens] == [True, *[False] * (len(part.tokens) - 2), True]
        assert text[part.tokens[1].span.start :].startswith("Sentence")


def test_a_text_that_fits_is_one_part() -> None:
    [part] = READER.read_parts("Yes. No.", field="texts[0]", key="de")
    assert part.ids.tolist() == read("Yes. No.").ids.tolist()


@pytest.fixture(scope="module")
def copier(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_summarizer(tmp_path_factory.mktemp("bundles") / "copier")


def test_words_are_told_apart_by_what_the_tokenizer_makes_of_them(copier: Bundle) -> None:
    source = SourceReader(copier).read("The IBM, the ibm and XYZ", field="t", key="subject", truncation="reject")
    assert [t.piece for t in source.tokens] == ["<subject>", "the", "IBM", ",", "the", "ibm", "and", "XYZ", "</s>"]
    assert source.words is not None
    assert source.words.tolist() == [0, 1, 2, 3, 1, 2, 6, 7, 8]
    assert source.array.shape == (2, 9)


def test_copies_are_spelled_and_spaced_as_in_the_source(copier: Bundle) -> None:
    source = SourceReader(copier).read("Zoë-Ann, of the NATO", field="t", key="subject", truncation="reject")
    size = copier.manifest.target.vocab_size
    pieces = [token.piece for token in source.tokens]
    of = source.tokens[pieces.index("of")].id
    ids = [size + pieces.index("NATO"), of, *(size + pieces.index(piece) for piece in ("Zoë", "-", "Ann", ",")), 2]
    written = TargetWriter(copier).write(np.array(ids), np.zeros(len(ids), np.float32), source)
    assert written.text == "NATO of Zoë-Ann,"
    assert [token.copied_from for token in written.tokens] == [7, None, 1, 2, 3, 4, None]
    assert [written.text[t.span.start : t.span.end] for t in written.tokens if t.span] == [
        "NATO", "of", "Zoë", "-", "Ann", ","
    ]  # fmt: skip
    unknown = 3
    assert [token.id for token in written.tokens] == [unknown, of, *[unknown] * 4, 2]


@given(st.text("ab \u0301\u0327\u00e9", max_size=12))
def test_the_end_behind_accents(text: str) -> None:
    ends = list(_ends_after_accents(text))
    assert len(ends) == len(text) + 1
    for position, end in enumerate(ends):
        assert all(unicodedata.combining(character) for character in text[position:end])
        assert end == len(text) or not unicodedata.combining(text[end])


def test_a_text_of_accents_only_takes_no_longer_than_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by fuzzing: 20,000 of them kept a core busy for a minute and a half."""
    num_asked, combining = 0, unicodedata.combining

    def counting(character: str) -> int:
        nonlocal num_asked
        num_asked += 1
        return combining(character)

    monkeypatch.setattr(unicodedata, "combining", counting)
    text = "a" + "\u0301" * 300
    assert read(text, "truncate").tokens[2].span == Span(0, len(text))
    assert num_asked <= 2 * len(text)


def test_accents_belong_to_the_letter_before_them(copier: Bundle) -> None:
    text = "E\u0301te\u0301 of caf\u00e9"
    source = SourceReader(copier).read(text, field="t", key="subject", truncation="reject")
    assert [token.piece for token in source.tokens[1:-1]] == ["E\u0301te\u0301", "of", "caf\u00e9"]
    assert read("A\u0301 b").tokens[2].span == Span(0, 2)


def test_a_character_that_is_several_tokens_is_copied_once() -> None:
    source = read("½ ½")
    size = BUNDLE.manifest.target.vocab_size
    first, second = ([i for i, t in enumerate(source.tokens) if t.span == Span(at, at + 1)][-2:] for at in (0, 2))
    ids = np.array([size + position for position in (*first, *second, second[0])])
    written = WRITER.write(ids, np.zeros(len(ids), np.float32), source)
    assert written.text == "½ ½ ½"


def test_a_copy_ends_a_character_that_stays_incomplete() -> None:
    source = read("Haus")
    stream = WRITER.stream(source)
    first_byte = WRITER._tokenizer.encode("日", add_special_tokens=False).ids[-3]
    stream.add(first_byte, 0.0)
    token = stream.add(VOCAB_SIZE + 1, 0.0)
    assert stream.text.endswith("Haus"[: token.span.end - token.span.start])
    assert "\N{REPLACEMENT CHARACTER}" in stream.text


def test_answers_to_parts_are_joined_by_a_space() -> None:
    first = TargetText("Ja.", (Token(5, "▁Ja", Span(0, 2)), Token(6, ".", Span(2, 3)), Token(2, "</s>", None, True)))
    second = TargetText("Nein", (Token(7, "▁Nein", Span(0, 4), copied_from=1), Token(2, "</s>", None, True)))
    joined = join_texts([first, TargetText("", ()), second], [10, 4, 20])
    assert joined.text == "Ja. Nein"
    assert [joined.text[t.span.start : t.span.end] for t in joined.tokens if t.span] == ["Ja", ".", "Nein"]
    assert joined.tokens[3].copied_from == 15


def test_a_model_that_is_told_both_languages_reads_them_around_the_text() -> None:
    manifest = BUNDLE.manifest
    told = TextSource(
        tokenizer=manifest.source.tokenizer,
        prefix_ids={"de": (4,)},
        suffix_ids=(2,),
        language_prefix_ids={"en": (7,)},
        language_suffix_ids={"en": (8, 9)},
    )
    update = {"source": told, "max_source_tokens": 8}
    reader = SourceReader(replace(BUNDLE, manifest=manifest.model_copy(update=update)))
    text = "One two three four five six."
    ids = reader.read(text, field="text", key="de", truncation="truncate", language="en").ids.tolist()
    assert (ids[:2], ids[-3:], len(ids)) == ([7, 4], [2, 8, 9], 8)
    parts = reader.read_parts(text, field="text", key="de", language="en")
    assert all((p.ids[:2].tolist(), p.ids[-3:].tolist()) == ([7, 4], [2, 8, 9]) for p in parts)
    assert reader.read(text, field="text", key="de", truncation="truncate").ids[0] == 4
