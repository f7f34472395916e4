"""Tags through a server, and tags placed on references: sentences of an online help, English to German and French.

The data is that of Hashimoto et al. (2019), "A High-Quality Multilingual Dataset for Structured Documentation
Translation"; so are the measures (section 4.2): of the rows with tags, how many outputs parse, how many have the
source's tags, and XML-BLEU, BLEU between the texts that tags enclose, where an output with other tags than the
reference counts as empty.
"""

import gzip
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from html import unescape
from pathlib import Path
from typing import NamedTuple

import numpy as np
import sacrebleu
from pydantic import BaseModel, ConfigDict

import regard
from regard_service.bundle import Bundle
from regard_service.domain.calls import AttentionOptions
from regard_service.domain.results import Span
from regard_service.engine.runtime.runner import Runner
from regard_service.maps.builder import MapBuilder
from regard_service.passages.aligned import AlignedText
from regard_service.passages.markup.parse import parse
from regard_service.passages.markup.segments import TranslatedSegment
from regard_service.passages.markup.tokens import MarkupError, TokenKind
from regard_service.passages.markup.writing import write
from regard_service.passages.markup.xml import xml_tokens
from regard_service.passages.segments import cut_text
from regard_service.text.reading import SourceReader
from regard_service.text.tokenizer import encoded, load_tokenizer

_BATCH = 100  # texts a call
_TAGS = (TokenKind.OPEN, TokenKind.CLOSE, TokenKind.EMPTY)


class Row(NamedTuple):
    """A sentence with tags and its translation by people."""

    source: str
    reference: str


class MarkupScores(BaseModel):
    """Scores of a target language.

    Attributes:
        rows: those with tags in the source.
        parsed, kept: outputs that parse; that have the source's tags, each once.
        placed: tags of the source placed on the reference exactly where the reference has them, from 0 to 1.
        placed_xml_bleu: XML-BLEU of the references with these tags: what the placing alone loses of 100.
        bleu, xml_bleu: without tags, and between them; from 0 to 100.
    """

    model_config = ConfigDict(frozen=True)

    to: str
    rows: int
    parsed: int
    kept: int
    placed: float
    placed_xml_bleu: float
    bleu: float
    xml_bleu: float


def read_rows(data: Path, to: str) -> list[Row]:
    """Returns the rows with tags. Args: data: has dev.en-LANGUAGE.jsonl.gz."""
    with gzip.open(data / f"dev.en-{to}.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [Row(row["en"], row[to]) for row in map(json.loads, lines)]
    return [row for row in rows if _tags(row.source)]


def measure_markup(client: regard.Client, bundle: Path, rows: Sequence[Row], to: str) -> MarkupScores:
    """Translates rows through a server, and places their tags on the references.

    Args:
        bundle: the folder of the model that serves.
    """
    outputs = [
        result.text
        for start in range(0, len(rows), _BATCH)
        for result in client.translate([row.source for row in rows[start : start + _BATCH]], to, format="xml")
    ]
    placed = on_references(bundle, rows, to)
    references = [row.reference for row in rows]
    return MarkupScores(
        to=to,
        rows=len(rows),
        parsed=sum(_parses(output) for output in outputs),
        kept=sum(_has_tags_of(output, row.source) for output, row in zip(outputs, rows, strict=True)),
        placed=share_placed(placed, rows),
        placed_xml_bleu=xml_bleu(placed, references),
        bleu=bleu([_plain(output) for output in outputs], list(map(_plain, references))),
        xml_bleu=xml_bleu(outputs, references),
    )


def xml_bleu(outputs: Sequence[str], references: Sequence[str]) -> float:
    """Returns BLEU of the texts between tags; a text whose tags differ from the reference's counts as empty."""
    hypotheses, expected = list[str](), list[str]()
    for output, reference in zip(outputs, references, strict=True):
        texts = _between(reference)
        is_same = _parses(output) and _tags(output) == _tags(reference)
        expected += texts
        hypotheses += _between(output) if is_same else [""] * len(texts)
    return bleu(hypotheses, expected)


def on_references(bundle: Path, rows: Sequence[Row], to: str) -> list[str]:
    """Returns each reference with the source's tags where the placement puts them.

    The model reads each reference as if it had written it, which gives the alignment.
    """
    teacher = _Teacher(bundle, to)
    return [teacher.on_reference(row) for row in rows]


def share_placed(placed: Sequence[str], rows: Sequence[Row]) -> float:
    """Returns the share of the references' tags that the placement puts exactly where they are.

    White space does not count; rows whose reference has other tags than the source are left out.
    """
    right = total = 0
    for text, row in zip(placed, rows, strict=True):
        if _tag_counts(row.source) == _tag_counts(row.reference):
            expected = _places(row.reference)
            right += (_places(text) & expected).total()
            total += expected.total()
    return right / max(1, total)


class _Teacher:
    """Places a source's tags on its reference."""

    def __init__(self, folder: Path, to: str) -> None:
        bundle = Bundle.load(folder)
        self._to = to
        self._manifest = bundle.manifest
        self._runner = Runner(bundle, bundle.manifest.variants[0])
        self._reader = SourceReader(bundle)
        self._tokenizer = load_tokenizer(bundle, bundle.manifest.target.tokenizer)

    def on_reference(self, row: Row) -> str:
        """Returns the reference with the source's tags."""
        source, reference = parse(row.source, "xml"), parse(row.reference, "xml")
        segments = []
        for unit, target in zip(source.units, reference.units, strict=False):
            pairs = self._pairs(unit.text, target.text)
            aligned = [(own, self._aligned(unit.text, own, target.text, its)) for own, its in pairs]
            segments.append([TranslatedSegment(*each) for each in aligned])
        segments += [[] for _ in source.units[len(segments) :]]
        return write(source, segments).text

    def _pairs(self, source: str, target: str) -> list[tuple[Span, Span]]:
        """Returns the sentences of both where their numbers are equal, else both as they are."""
        own = [each.span for each in cut_text(source, "en")]
        its = [each.span for each in cut_text(target, self._to)]
        if len(own) != len(its):
            return [(Span(0, len(source)), Span(0, len(target)))]
        return list(zip(own, its, strict=True))

    def _aligned(self, source: str, own: Span, target: str, its: Span) -> AlignedText:
        source, target = source[slice(*own)], target[slice(*its)]
        read = self._reader.read(source, field="text", key=self._to, truncation="truncate")
        written = encoded(self._tokenizer, target)
        ids = written.ids[: self._manifest.max_target_tokens - 1]
        trace = self._runner.trace(read.array, np.array([self._manifest.target.start_id, *ids], np.int64))
        builder = MapBuilder(AttentionOptions(kinds=("alignment",)), self._manifest.attention)
        spans = [_stripped(target, *offsets) for offsets in written.offsets[: len(ids)]]
        weights = next(builder.of_target(trace.cross, None)).values
        return AlignedText(source, target, tuple(token.span for token in read.tokens), (*spans, None), weights)


def bleu(outputs: Sequence[str], references: Sequence[str]) -> float:
    """Returns BLEU with sacreBLEU's tokenizer "13a"."""
    return float(sacrebleu.corpus_bleu(list(outputs), [list(references)]).score)


def _stripped(text: str, start: int, end: int) -> Span:
    piece = text[start:end]
    return Span(end - len(piece.lstrip()), end)


def _parses(text: str) -> bool:
    try:
        xml_tokens(text)
    except MarkupError:
        return False
    return True


def _tags(text: str) -> list[str]:
    """Returns the tags of a text, in order."""
    return [text[slice(*token.span)] for token in xml_tokens(text) if token.kind in _TAGS]


def _tag_counts(text: str) -> Counter[str]:
    return Counter(_tags(text))


def _has_tags_of(output: str, source: str) -> bool:
    return _parses(output) and _tag_counts(output) == _tag_counts(source)


def _between(text: str) -> list[str]:
    """Returns the texts before, between and after tags."""
    texts = [""]
    for token in xml_tokens(text):
        if token.kind in _TAGS:
            texts.append("")
        else:
            texts[-1] += unescape(text[slice(*token.span)])
    return [each.strip() for each in texts]


def _plain(text: str) -> str:
    return "".join(unescape(text[slice(*token.span)]) for token in xml_tokens(text) if token.kind not in _TAGS)


def _places(text: str) -> Counter[tuple[str, int]]:
    """Returns each tag with the number of characters before it, white space not counted."""
    return Counter(_placed_tags(text))


def _placed_tags(text: str) -> Iterator[tuple[str, int]]:
    position = 0
    for token in xml_tokens(text):
        piece = text[slice(*token.span)]
        if token.kind in _TAGS:
            yield piece, position
        else:
            position += len("".join(unescape(piece).split()))
