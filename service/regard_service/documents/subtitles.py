"""Subtitles: the text of each cue, and nothing of its number, time, position or style.

A sentence that spans cues is translated as one and shared out again by the length of each cue's text. Lines are broken
anew where they exceed the width of the file's longest line, at least 42 columns (the usual limit of broadcasters).
"""

import html
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from regard_service.documents.encoding import decode
from regard_service.documents.inline import (
    Part,
    Piece,
    Tag,
    Text,
    is_worded,
    paired,
    read_translation,
    trimmed,
    unit_text,
)
from regard_service.documents.lines import Word, balanced, split_wide, width_of, words_of
from regard_service.documents.places import Place, TextDocument, bounded
from regard_service.documents.subtitle_cues import Cue, ass_cues, srt_cues, vtt_cues
from regard_service.documents.unit import Document, DocumentOptions, Fault, Unit
from regard_service.domain.results import Span

MIN_WIDTH = 42
MAX_GAP_MS = 1_500
MAX_JOINED = 4

_ENDS_SENTENCE = re.compile(r"[.!?…:;。！？♪♫\])}»”\"'’]\s*$")
_DASH = re.compile(r"\s*[-‐‑–—−]\s*(?=\S)")


@dataclass(frozen=True)
class _Syntax:
    """How a format writes codes and lines.

    Attributes:
        code, line_break, special: match a code, the break of a line within a cue, and either.
        part_of: what a code opens or closes; see `Part`.
        escape, unescape: text as the file has it, and as people read it.
        usual_break: the break of lines in a file, for a cue of one line.
        keeps: whether a cue stays as it is.
    """

    cues: Callable[[str], list[Cue]]
    code: "re.Pattern[str]"
    line_break: "re.Pattern[str]"
    special: "re.Pattern[str]"
    part_of: Callable[[str], Part]
    escape: Callable[[str], str]
    unescape: Callable[[str], str]
    usual_break: Callable[[str], str]
    keeps: Callable[[str], bool] = lambda _: False


@dataclass(frozen=True)
class _Paragraph:
    """Text of a cue that is translated as one: the cue, or a speaker's line of it.

    Attributes:
        lines: the widths of its lines, without blank ones.
    """

    cue: Cue
    span: Span
    pieces: tuple[Piece, ...]
    line_break: str
    lines: tuple[int, ...]

    @property
    def text(self) -> str:
        """What is read."""
        return "".join(piece.text for piece in self.pieces if isinstance(piece, Text))


def open_srt(data: bytes, options: DocumentOptions) -> Document:
    """Reads a SubRip file. Raises InvalidInput."""
    return _opened(data, options, _SRT)


def open_vtt(data: bytes, options: DocumentOptions) -> Document:
    """Reads a WebVTT file. Raises InvalidInput."""
    return _opened(data, options, _VTT)


def open_ass(data: bytes, options: DocumentOptions) -> Document:
    """Reads a SubStation Alpha file. Raises InvalidInput."""
    return _opened(data, options, _ASS)


def _opened(data: bytes, options: DocumentOptions, syntax: _Syntax) -> Document:
    decoded = decode(data, options.charset)
    cues = syntax.cues(decoded.text)
    kept = [cue for cue in cues if syntax.keeps(decoded.text[cue.span.start : cue.span.end])]
    names = {cue.span for cue in kept}
    paragraphs = [p for cue in cues if cue.span not in names for p in _paragraphs(decoded.text, cue, syntax)]
    width = max([MIN_WIDTH, *_line_widths(decoded.text, cues, syntax)])
    places, notes = bounded([_place(group, width, syntax) for group in _sentences(paragraphs)], options)
    drawings = (Fault(f"{cue.name} is a drawing or karaoke and stays as it is") for cue in kept)
    return TextDocument(decoded, places, notes=(*drawings, *notes))


def _line_widths(text: str, cues: Iterable[Cue], syntax: _Syntax) -> Iterator[int]:
    for cue in cues:
        yield from _widths(text[cue.span.start : cue.span.end], syntax)


def _widths(text: str, syntax: _Syntax) -> Iterator[int]:
    for line in syntax.line_break.split(syntax.code.sub("", text)):
        yield width_of(syntax.unescape(line.strip()))


def _paragraphs(source: str, cue: Cue, syntax: _Syntax) -> Iterator[_Paragraph]:
    text = source[cue.span.start : cue.span.end]
    breaks = list(syntax.line_break.finditer(text))
    line_break = breaks[0][0] if breaks else syntax.usual_break(source)
    edges = [0, *(edge for each in breaks for edge in each.span()), len(text)]
    lines = [Span(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True)]
    has_speakers = any(_DASH.match(syntax.code.sub("", text[line.start : line.end])) for line in lines[1:])
    for span in lines if has_speakers else [Span(0, len(text))]:
        raw = _pieces(text[span.start : span.end], syntax)
        pieces = paired(raw, [syntax.part_of(each.source) if isinstance(each, Tag) else None for each in raw])
        inner, start, end, *_ = trimmed(pieces)
        if is_worded(inner):
            offset = cue.span.start + span.start
            inside = Span(offset + start, offset + end)
            widths = tuple(filter(None, _widths(source[slice(*inside)], syntax)))
            yield _Paragraph(cue, inside, inner, line_break, widths)


def _pieces(text: str, syntax: _Syntax) -> list[Piece]:
    """Returns a cue's text as pieces; a dash before a speaker's line is a code that stands alone."""
    dash = _DASH.match(text)
    pieces: list[Piece] = [Tag("alone", 0, dash[0])] if dash else []
    end = dash.end() if dash else 0
    for match in syntax.special.finditer(text, end):
        if match.start() > end:
            raw = text[end : match.start()]
            pieces.append(Text(syntax.unescape(raw), raw))
        if syntax.code.fullmatch(match[0]) is not None:
            pieces.append(Tag("alone", 0, match[0]))
        else:  # one space for several breaks
            last = pieces[-1] if pieces else None
            pieces.append(Text("" if isinstance(last, Text) and last.text in ("", " ") else " ", match[0]))
        end = match.end()
    raw = text[end:]
    return [*pieces, Text(syntax.unescape(raw), raw)] if raw else pieces


def _sentences(paragraphs: Sequence[_Paragraph]) -> Iterator[list[_Paragraph]]:
    """Yields the paragraphs of each sentence."""
    group: list[_Paragraph] = []
    for paragraph in paragraphs:
        if group and not (len(group) < MAX_JOINED and _goes_on(group[-1], paragraph)):
            yield group
            group = []
        group.append(paragraph)
    if group:
        yield group


def _goes_on(first: _Paragraph, second: _Paragraph) -> bool:
    """Whether a sentence goes on in the next cue: it has not ended, and the next begins with a small letter."""
    has_codes = any(isinstance(piece, Tag) for piece in (*first.pieces, *second.pieces))
    gap_ms = second.cue.start_ms - first.cue.end_ms
    return (
        first.cue != second.cue
        and not has_codes
        and 0 <= gap_ms <= MAX_GAP_MS
        and _ENDS_SENTENCE.search(first.text) is None
        and second.text[:1].islower()
    )


def _place(group: list[_Paragraph], width: int, syntax: _Syntax) -> Place:
    first = group[0]
    if len(group) == 1:
        text, form = unit_text(first.pieces)
    else:
        text, form = " ".join(each.text for each in group), "plain"
    pieces = first.pieces if len(group) == 1 else ()

    def render(translations: Sequence[str | None]) -> list[str]:
        translation = translations[0] or ""
        words = list(split_wide(words_of(read_translation(translation, pieces), syntax.escape)))
        shares = shared(words, [width_of(each.text) for each in group])
        return [
            each.line_break.join(balanced(share, width, _min_lines(share, each.lines)))
            for each, share in zip(group, shares, strict=True)
        ]

    return Place((Unit(text, form, id=first.cue.name),), tuple(each.span for each in group), render)


def _min_lines(words: Sequence[Word], lines: Sequence[int]) -> int:
    """Returns how many lines a cue keeps: the source's, but one if it fits into the longest of them.

    Args:
        lines: the widths of the source's lines.
    """
    width = sum(word.width + word.is_spaced for word in words) - 1
    return len(lines) if width > max(lines) else 1


def shared(words: Sequence[Word], shares: Sequence[int]) -> list[Sequence[Word]]:
    """Shares out a sentence over cues, near the parts that each had of the source; rather behind punctuation.

    With fewer words than cues each cue shows them all.

    Args:
        shares: the width of each cue's source text.
    """
    if len(shares) == 1 or len(words) < len(shares):
        return [words] * len(shares)
    ends = [0]
    for word in words:
        ends.append(ends[-1] + word.width + word.is_spaced)
    scale, ideal, cuts = ends[-1] / max(1, sum(shares)), 0.0, [0]
    for index, share in enumerate(shares[:-1], 1):
        ideal += share * scale
        candidates = range(cuts[-1] + 1, len(words) - (len(shares) - index) + 1)
        cuts.append(min(candidates, key=lambda cut: abs(ends[cut] - ideal) - _bonus(words[cut - 1], share * scale)))
    return [words[start:end] for start, end in zip(cuts, [*cuts[1:], len(words)], strict=True)]


def _bonus(word: Word, share: float) -> float:
    """How far a cut may move for the sake of punctuation, in columns."""
    return share / 4 if word.source.endswith((",", ";", ":", ".", "–", "—", "、", "。", "，")) else 0.0


_ANGLE_TAG = re.compile(r"</?([A-Za-z]\w*+)[^<>]*+>")


def _angle_part(code: str) -> Part:
    match = _ANGLE_TAG.fullmatch(code)
    return None if match is None else (match[1].lower(), not code.startswith("</"))


_ASS_TOGGLE = re.compile(r"\{\\([ibus])([01])\}")


def _ass_part(code: str) -> Part:
    match = _ASS_TOGGLE.fullmatch(code)
    return None if match is None else (match[1], match[2] == "1")


def _newline_of(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


_NEWLINE = r"\r\n|\r|\n"
_SRT_CODE = r"</?[A-Za-z][^<>\r\n]*+>|\{\\[^{}\r\n]*+\}"
_VTT_CODE = r"<[^<>\r\n]*+>"
_ASS_CODE = r"\{[^{}]*+\}"
_ASS_BREAK = r"\\[Nn]"
_KARAOKE_OR_DRAWING = re.compile(r"\\(?:p[1-9]|[kK][fo]?\d)")

_SRT = _Syntax(
    cues=srt_cues,
    code=re.compile(_SRT_CODE),
    line_break=re.compile(_NEWLINE),
    special=re.compile(f"{_SRT_CODE}|{_NEWLINE}"),
    part_of=_angle_part,
    escape=lambda text: text.replace("-->", "→"),
    unescape=str,
    usual_break=_newline_of,
)
_VTT = _Syntax(
    cues=vtt_cues,
    code=re.compile(_VTT_CODE),
    line_break=re.compile(_NEWLINE),
    special=re.compile(f"{_VTT_CODE}|{_NEWLINE}"),
    part_of=_angle_part,
    escape=lambda text: text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"),
    unescape=html.unescape,
    usual_break=_newline_of,
)
_ASS = _Syntax(
    cues=ass_cues,
    code=re.compile(_ASS_CODE),
    line_break=re.compile(_ASS_BREAK),
    special=re.compile(f"{_ASS_CODE}|{_ASS_BREAK}"),
    part_of=_ass_part,
    escape=lambda text: text.replace("{", "(").replace("}", ")").replace("\\N", "/N"),
    unescape=lambda text: text.replace("\\h", "\u00a0"),
    usual_break=lambda _: "\\N",
    keeps=lambda text: _KARAOKE_OR_DRAWING.search(text) is not None,
)
