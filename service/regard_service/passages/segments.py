"""Cuts a text into segments, the pieces that a model reads one by one; and joins what it wrote to a whole text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from regard_service.domain.results import Span
from regard_service.passages.blocks import Block, blocks
from regard_service.passages.sentences import sentences
from regard_service.passages.wrapping import UnwrappedText, unwrap


@dataclass(frozen=True)
class Segment:
    """A piece of running text.

    Attributes:
        span: its place in the whole text.
        breaks: the breaks of hard-wrapped lines within it, as ranges of the whole text.
    """

    span: Span
    breaks: tuple[Span, ...] = ()

    def unwrapped(self, text: str, *, is_spaced: bool, is_target_spaced: bool = True) -> UnwrappedText:
        """Returns the segment of a text with its lines joined; arguments as of `unwrap`."""
        start = self.span.start
        breaks = [Span(each.start - start, each.end - start) for each in self.breaks]
        return unwrap(text[slice(*self.span)], breaks, is_spaced=is_spaced, is_target_spaced=is_target_spaced)

    def part(self, span: Span) -> "Segment":
        """Returns a part of the segment. Args: span: on the whole text."""
        return Segment(span, tuple(each for each in self.breaks if span.start < each.start and each.end < span.end))


def cut_text(text: str, language: str) -> list[Segment]:
    """Cuts a text into sentences, block by block.

    Args:
        language: of the text, as BCP 47 code; "" if unknown.

    Returns:
        segments in order; outside of them the text has layout only.
    """
    return [segment for block in blocks(text) for segment in _sentences(text, block, language)]


def has_letters(text: str) -> bool:
    """Whether a text has anything to translate: a letter or a digit."""
    return any(map(str.isalnum, text))


def gap(between: str, *, is_spaced: bool) -> str:
    """Returns the target's white space between two segments.

    Args:
        between: the source's.
        is_spaced: whether the target's language has spaces between its sentences.
    """
    if not between:
        return " " if is_spaced else ""
    return between if is_spaced or between != " " else ""


def pack(segments: Sequence[Segment], text: str, sizes: Sequence[int], max_size: int) -> list[Segment]:
    """Joins sentences of one block to passages of a size at most, each as long as possible.

    Args:
        sizes: of each segment, in tokens.
    """
    packed: list[Segment] = []
    size = 0
    for segment, own in zip(segments, sizes, strict=True):
        if packed and size + own <= max_size and _is_same_block(text, packed[-1], segment):
            last = packed.pop()
            between = Span(last.span.end, segment.span.start)
            breaks = (between,) if _has_break(text[slice(*between)]) else ()
            packed.append(Segment(Span(last.span.start, segment.span.end), (*last.breaks, *breaks, *segment.breaks)))
            size += own
        else:
            packed.append(segment)
            size = own
    return packed


def _sentences(text: str, block: Block, language: str) -> Iterator[Segment]:
    start = block.span.start
    for span in sentences(_flat(text, block), language):
        whole = Span(span.start + start, span.end + start)
        yield Segment(whole, tuple(b for b in block.breaks if whole.start < b.start and b.end < whole.end))


def _flat(text: str, block: Block) -> str:
    """Returns a block with spaces in place of its breaks, so that positions stay."""
    if not block.breaks:
        return text[slice(*block.span)]
    starts = [block.span.start, *(each.end for each in block.breaks)]
    ends = [*(each.start for each in block.breaks), block.span.end]
    lines = [text[start:end] for start, end in zip(starts, ends, strict=True)]
    gaps = [" " * (after - before) for before, after in zip(ends[:-1], starts[1:], strict=True)]
    return "".join(piece for pair in zip(lines, [*gaps, ""], strict=True) for piece in pair)


def _is_same_block(text: str, before: Segment, after: Segment) -> bool:
    return text[before.span.end : after.span.start].strip(" \u00a0") == ""


def _has_break(between: str) -> bool:
    return len(between.splitlines()) > 1
