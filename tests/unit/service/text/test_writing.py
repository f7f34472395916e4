"""Ids to text: spans, copies, and text that grows token by token."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from regard_service.bundle import Bundle, zoo_folder
from regard_service.domain.results import Span, Token
from regard_service.text.reading import SourceReader
from regard_service.text.tokenizer import encoded
from regard_service.text.writing import TargetText, TargetWriter, join_texts
from tests.toys import write_summarizer

BUNDLE = Bundle.load(zoo_folder() / "everyday")


READER = SourceReader(BUNDLE)


WRITER = TargetWriter(BUNDLE)


NORMALIZER = Tokenizer.from_file(str(BUNDLE.path(BUNDLE.manifest.target.tokenizer))).normalizer


VOCAB_SIZE = BUNDLE.manifest.target.vocab_size


def read(text: str, truncation: str = "reject"):
    return READER.read(text, field="texts[0]", key="de", truncation=truncation)  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.lists(st.integers(0, VOCAB_SIZE - 1), max_size=30))
def test_any_ids_make_text_with_spans_in_order(ids: list[int]) -> None:
    """Covers ids that no sane model generates: half characters, bytes that are not UTF-8."""
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
def test_the_ids_of_a_text_are_written_as_that_text(text: str) -> None:
    normal = " ".join(text.replace("▁", "_").split())
    encoding = encoded(WRITER.tokenizer, normal)
    written = WRITER.write(np.array(encoding.ids, np.int64), np.zeros(len(encoding.ids), np.float32))
    assert written.text == NORMALIZER.normalize_str(normal)


def test_a_character_of_several_tokens_adds_its_text_with_the_last() -> None:
    stream = WRITER.stream()
    ids = encoded(WRITER.tokenizer, "日").ids
    lengths = []
    for token_id in ids:
        stream.add(token_id, 0.0)
        lengths.append(len(stream.text))
    assert stream.text == "日"
    assert lengths == [0] * (len(ids) - 1) + [1]


@pytest.fixture(scope="module")
def copier(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_summarizer(tmp_path_factory.mktemp("bundles") / "copier")


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
    first_byte = encoded(WRITER.tokenizer, "日").ids[-3]
    stream.add(first_byte, 0.0)
    token = stream.add(VOCAB_SIZE + 1, 0.0)
    assert token.span is not None
    assert stream.text.endswith("Haus"[: token.span.end - token.span.start])
    assert "\N{REPLACEMENT CHARACTER}" in stream.text


def test_the_outputs_of_parts_are_joined_by_a_space() -> None:
    first = TargetText("Ja.", (Token(5, "▁Ja", Span(0, 2)), Token(6, ".", Span(2, 3)), Token(2, "</s>", None, True)))
    second = TargetText("Nein", (Token(7, "▁Nein", Span(0, 4), copied_from=1), Token(2, "</s>", None, True)))
    joined = join_texts([first, TargetText("", ()), second], [10, 4, 20])
    assert joined.text == "Ja. Nein"
    assert [joined.text[t.span.start : t.span.end] for t in joined.tokens if t.span] == ["Ja", ".", "Nein"]
    assert joined.tokens[3].copied_from == 15
