"""An input as the model reads it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from regard.arrays import Array
from regard_service.calls.passages import Passage
from regard_service.domain.results import Source, Span, Token, Word
from regard_service.engine.runtime.questions import question_record
from regard_service.pictures.reader import SourceImage
from regard_service.text.reading import SourceText
from regard_service.text.words import group_words


@dataclass(frozen=True)
class SourceQuestion:
    """A question about a picture, as the encoder reads both."""

    picture: SourceImage
    question: SourceText

    @cached_property
    def array(self) -> Array:
        """The engine's input."""
        return question_record(self.picture.array, self.question.ids)


Part = SourceImage | SourceText | SourceQuestion

Parts = tuple[Part, ...]
"""What the model reads of an input: a picture, a text, a picture with a question, the parts of a text that was split,
or the segments that are translated."""


@dataclass(frozen=True)
class Input:
    """An input as it was read.

    Attributes:
        passage: the text in segments, of which `parts` are those that the model reads; None for all other inputs.
    """

    parts: Parts
    passage: Passage | None = None

    @classmethod
    def of_passage(cls, passage: Passage) -> "Input":
        """Returns a text in segments."""
        return cls(tuple([each.part for each in passage.translated]), passage)

    def needs_alignment(self, index: int) -> bool:
        """Whether a part's output can be finished only with the alignment."""
        return self.passage is not None and self.passage.translated[index].needs_alignment


def source_of(parts: Parts, *, has_words: bool) -> Source:
    """Describes an input to its caller. The parts of a text together are the text."""
    first = parts[0]
    if isinstance(first, SourceImage):
        return Source(image_grid=first.grid)
    if isinstance(first, SourceQuestion):
        return _source_of_question(first, has_words=has_words)
    texts = [part for part in parts if isinstance(part, SourceText)]
    tokens = tuple(token for part in texts for token in part.tokens)
    return Source(tokens, words_of(first.text, tokens) if has_words else (), first.num_truncated)


def _source_of_question(part: SourceQuestion, *, has_words: bool) -> Source:
    """Describes a picture with a question: the question's units lie before the picture's positions."""
    question, grid = source_of((part.question,), has_words=has_words), part.picture.grid
    first = len(question.words or question.tokens) + grid.first_position
    return replace(question, image_grid=replace(grid, first_position=first))


def axis_words(source: Source, num_positions: int) -> list[Word]:
    """Returns the source axis in words: those of the text, then each position of a picture by itself."""
    num_tokens = len(source.tokens)
    return [*source.words, *(Word("", None, Span(p, p + 1)) for p in range(num_tokens, num_positions))]


def copy_source(part: Part) -> SourceText | None:
    """Returns the text that a hypothesis may copy from; None for pictures."""
    return part if isinstance(part, SourceText) else None


def special_units(source: Source) -> list[bool]:
    """Returns which units of the source axis belong to the model and not to the input: bool [source]."""
    special, grid = [unit.is_special for unit in (source.words or source.tokens)], source.image_grid
    if grid is None:
        return special
    return special + [True] * (grid.first_position - len(special)) + [False] * (grid.rows * grid.columns)


def moved_word(word: Word, num_characters: int, num_tokens: int) -> Word:
    """Moves a word behind a number of characters and of tokens."""
    span = None if word.span is None else Span(word.span.start + num_characters, word.span.end + num_characters)
    tokens = Span(word.tokens.start + num_tokens, word.tokens.end + num_tokens)
    return replace(word, span=span, tokens=tokens)


def words_of(text: str, tokens: Sequence[Token]) -> tuple[Word, ...]:
    """Groups tokens to words; a special token is a word by itself."""
    spans = [None if t.span is None else (t.span.start, t.span.end) for t in tokens]
    words = []
    for group in group_words(text, spans):
        start, end = spans[group.start], spans[group.end - 1]
        if start is None or end is None:
            words.append(Word(tokens[group.start].piece, None, group, is_special=True))
        else:
            words.append(Word(text[start[0] : end[1]], Span(start[0], end[1]), group))
    return tuple(words)
