"""The cues of subtitle files: SubRip (.srt), WebVTT (.vtt), and SubStation Alpha (.ass, .ssa)."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from regard_service.documents.unit import refused
from regard_service.domain.results import Span

_TIME = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})[,.:](\d{1,3})"
_TIMES = re.compile(rf"[ \t]*+{_TIME}[ \t]*+-->[ \t]*+{_TIME}(?=\s|$)")
_LINE = re.compile(r"[^\r\n]*+")
_ASS_TIME = re.compile(r"(\d++):(\d++):(\d++)[.:](\d++)")
_VTT_BLOCKS = ("NOTE", "STYLE", "REGION")


class Cue(NamedTuple):
    """A text with its time.

    Attributes:
        span: of its text, without the last line's end.
        start_ms, end_ms: when it is shown.
        name: its number or id in the file.
    """

    span: Span
    start_ms: int
    end_ms: int
    name: str


class _Line(NamedTuple):
    span: Span
    text: str


def srt_cues(text: str) -> list[Cue]:
    """Returns the cues of a SubRip file; blank lines within one are part of it. Raises InvalidInput without any."""
    lines = list(_lines(text))
    timed = [(index, match) for index, line in enumerate(lines) if (match := _TIMES.match(line.text)) is not None]
    if not timed:
        raise refused("has no cues: no line reads 00:00:01,000 --> 00:00:02,000")
    cues = []
    for (index, match), following in zip(timed, [*(index for index, _ in timed[1:]), len(lines)], strict=True):
        is_last = following == len(lines)
        end = following if is_last else _without_number(lines, index, following)
        while end > index + 1 and not lines[end - 1].text.strip():
            end -= 1
        name = lines[index - 1].text.strip() if index else ""
        if end > index + 1:
            span = Span(lines[index + 1].span.start, lines[end - 1].span.end)
            cues.append(Cue(span, *_times(match), name or f"line {index + 1}"))
    return cues


def _without_number(lines: list[_Line], start: int, end: int) -> int:
    """Returns the end of a cue's lines, before the number of the next cue."""
    return end - 1 if end - 1 > start and lines[end - 1].text.strip().isdigit() else end


def vtt_cues(text: str) -> list[Cue]:
    """Returns the cues of a WebVTT file (W3C WebVTT, section 6.1). Raises InvalidInput if it is none."""
    if not re.match(r"WEBVTT(?![^\s])", text):
        raise refused("is no WebVTT: its first line is not WEBVTT")
    cues = []
    for block in _blocks(list(_lines(text))[1:]):
        index = next((index for index, line in enumerate(block[:2]) if "-->" in line.text), None)
        match = None if index is None else _TIMES.match(block[index].text)
        if index is None or match is None or len(block) == index + 1:
            continue
        span = Span(block[index + 1].span.start, block[-1].span.end)
        cues.append(Cue(span, *_times(match), block[0].text.strip() if index else match[0].strip()))
    return cues


def _blocks(lines: list[_Line]) -> Iterator[list[_Line]]:
    """Yields the lines between blank lines, without notes, styles and regions."""
    block: list[_Line] = []
    for line in [*lines, _Line(Span(0, 0), "")]:
        if line.text:
            block.append(line)
            continue
        is_cue = block and not (block[0].text.split()[:1] and block[0].text.split()[0] in _VTT_BLOCKS)
        if is_cue or any("-->" in each.text for each in block[:2]):
            yield block
        block = []


def ass_cues(text: str) -> list[Cue]:
    """Returns the dialogue of a SubStation Alpha file. Raises InvalidInput if it has no events."""
    fields: list[str] = []
    is_events, number = False, 0
    cues: list[Cue] = []
    for line in _lines(text):
        stripped = line.text.strip()
        if stripped.startswith("["):
            is_events = stripped.lower() == "[events]"
        elif is_events and stripped.lower().startswith("format:"):
            fields = [name.strip().lower() for name in stripped.partition(":")[2].split(",")]
        elif is_events and line.text.startswith("Dialogue:") and fields[-1:] == ["text"]:
            number += 1
            cues += _dialogue(line, fields, number)
    if not fields:
        raise refused("has no events: no [Events] section with a Format line")
    return cues


def _dialogue(line: _Line, fields: list[str], number: int) -> Iterator[Cue]:
    values = line.text.partition(":")[2].split(",", len(fields) - 1)
    if len(values) < len(fields):
        return
    named = dict(zip(fields, values, strict=True))
    start, end = (_ass_time(named.get(name, "")) for name in ("start", "end"))
    yield Cue(Span(line.span.end - len(values[-1]), line.span.end), start, end, f"dialogue {number}")


def _ass_time(text: str) -> int:
    match = _ASS_TIME.match(text.strip())
    if match is None:
        return 0
    hours, minutes, seconds, hundredths = map(int, match.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + hundredths * 10


def _times(match: "re.Match[str]") -> tuple[int, int]:
    groups = match.groups()
    return _milliseconds(*groups[:4]), _milliseconds(*groups[4:])


def _milliseconds(hours: str | None, minutes: str, seconds: str, fraction: str) -> int:
    return ((int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + int(fraction.ljust(3, "0"))


def _lines(text: str) -> Iterator[_Line]:
    """Yields the lines without their ends."""
    position = 0
    while position < len(text):
        match = _LINE.match(text, position)
        end = match.end() if match else position
        yield _Line(Span(position, end), text[position:end])
        position = end + (2 if text.startswith("\r\n", end) else 1)
