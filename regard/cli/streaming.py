"""A stream on a terminal: the text as it grows, or one word per line with the source word it attended to most."""

import sys
from collections.abc import Callable, Iterator, Sequence

import click
import numpy as np
from rich.console import Console
from rich.text import Text

from regard.arrays import Float32Array
from regard.calls.results import Event, Finished, Result
from regard.cli.options import Flags
from regard.errors import BadResponse
from regard.values.events import Started, TokenMade
from regard.values.labels import readable
from regard.values.units import Word
from regard.wire import as_json

_WORD_WIDTH = 20  # terminal columns that words are padded to


def print_events(events: Iterator[Event], flags: Flags, escape: Callable[[str], str], console: Console) -> Result:
    """Prints events as they arrive, and returns the finished result.

    Args:
        events: of one call.
        flags: whether to print JSON, or words with their sources.
        escape: replaces the characters of a text that must not be printed.
        console: prints words with their sources, in colours or without.
    """
    words: WordLines | None = None
    num_printed = 0
    for event in events:
        if flags.json:
            click.echo(as_json.dump(event.to_dict()))
        elif isinstance(event, Started):
            words = WordLines(event.source_words, console) if flags.attention and event.source_words else None
        elif isinstance(event, TokenMade) and words is not None:
            words.add(event)
        elif isinstance(event, TokenMade):
            click.echo(escape(event.text_delta), nl=False)
            num_printed += len(event.text_delta)
        sys.stdout.flush()
        if isinstance(event, Finished):
            if words is not None:
                words.end()
                click.echo(escape(event.result.text))
            elif not flags.json:
                click.echo(escape(event.result.text[num_printed:]))  # a text without tokens is copied
            return event.result
    raise BadResponse("the stream ended without a result")


class WordLines:
    """Joins the tokens of a stream into words, and prints each complete word with its strongest source word.

    A word's attention is the average of its tokens'. Special tokens are left out on both sides.
    """

    def __init__(self, source_words: Sequence[Word], console: Console) -> None:
        self._source_words = source_words
        self._console = console
        self._text = ""
        self._rows: list[Float32Array] = []

    def add(self, event: TokenMade) -> None:
        """Adds a token; prints the word before it if the token starts a new one."""
        if event.text_delta[:1].isspace():
            self.end()
        if event.token.special:
            return
        self._text += event.text_delta
        row = self._word_weights(event)
        if row is not None:
            self._rows.append(row)

    def end(self) -> None:
        """Prints the current word, if there is one."""
        if self._text.strip():
            line = Text(readable(self._text), "bold")
            if self._rows:
                weights = np.mean(self._rows, axis=0)
                strongest = int(weights.argmax())
                line.pad_right(max(1, _WORD_WIDTH - line.cell_len))
                line.append(f"{readable(self._source_words[strongest].text)} {100 * weights[strongest]:.0f} %", "dim")
            self._console.print(line, soft_wrap=True)
        self._text, self._rows = "", []

    def _word_weights(self, event: TokenMade) -> Float32Array | None:
        """A token's alignment, float32 [source words], 0 for special words; None without an alignment."""
        alignment = next((each for each in event.attention if each.kind == "alignment"), None)
        if alignment is None:
            return None
        row = np.zeros(alignment.source_offset + alignment.shape[-1], np.float32)
        row[alignment.source_offset :] = alignment.values[0]
        if alignment.granularity == "token":
            row = np.array([row[word.tokens.start : word.tokens.end].sum() for word in self._source_words], np.float32)
        return np.where([word.special for word in self._source_words], 0, row).astype(np.float32)
