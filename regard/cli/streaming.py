"""A stream on a terminal: the text as it grows, or a word a line with the source word it attended to most."""

import sys
from collections.abc import Callable, Iterator, Sequence

import click
import numpy as np
from rich.console import Console
from rich.text import Text

from regard import as_json
from regard.arrays import Float32Array
from regard.axes import readable
from regard.cli.options import Asked
from regard.errors import BadResponse
from regard.results import Event, Finished, Result, Started, TokenMade, Word

_WORD_COLUMN = 20  # terminal columns that words are filled up to


def print_events(events: Iterator[Event], asked: Asked, shown: Callable[[str], str], console: Console) -> Result:
    """Prints events as they come, and returns the finished result.

    Args:
        shown: makes text fit to be printed.
        console: for words with their sources; it knows whether colours are wanted.
    """
    words: WordLines | None = None
    for event in events:
        if asked.json:
            click.echo(as_json.dump(event.to_dict()))
        elif isinstance(event, Started):
            words = WordLines(event.source_words, console) if asked.attention and event.source_words else None
        elif isinstance(event, TokenMade) and words is not None:
            words.add(event)
        elif isinstance(event, TokenMade):
            click.echo(shown(event.text_delta), nl=False)
        sys.stdout.flush()
        if isinstance(event, Finished):
            if words is not None:
                words.end()
                click.echo(shown(event.result.text))
            elif not asked.json:
                click.echo()
            return event.result
    raise BadResponse("the stream ended without a result")


class WordLines:
    """Puts the tokens of a stream together to words; each is printed, once it is whole, with its strongest source word.

    A word's attention is the average of its tokens'; the model's own tokens are left out on both sides.
    """

    def __init__(self, source_words: Sequence[Word], console: Console) -> None:
        self._source_words = source_words
        self._console = console
        self._text = ""
        self._rows: list[Float32Array] = []

    def add(self, event: TokenMade) -> None:
        if event.text_delta[:1].isspace():
            self.end()
        if event.token.special:
            return
        self._text += event.text_delta
        row = self._by_words(event)
        if row is not None:
            self._rows.append(row)

    def end(self) -> None:
        """Prints the word that there is, if any."""
        if self._text.strip():
            line = Text(readable(self._text), "bold")
            if self._rows:
                weights = np.mean(self._rows, axis=0)
                strongest = int(weights.argmax())
                line.pad_right(max(1, _WORD_COLUMN - line.cell_len))
                line.append(f"{readable(self._source_words[strongest].text)} {100 * weights[strongest]:.0f} %", "dim")
            self._console.print(line, soft_wrap=True)
        self._text, self._rows = "", []

    def _by_words(self, event: TokenMade) -> Float32Array | None:
        """A token's alignment with the source's words, float32 [source words]; 0 for the model's own."""
        alignment = next((each for each in event.attention if each.kind == "alignment"), None)
        if alignment is None:
            return None
        row = alignment.values[0]
        if alignment.granularity == "token":
            row = np.array([row[word.tokens.start : word.tokens.end].sum() for word in self._source_words], np.float32)
        return np.where([word.special for word in self._source_words], 0, row).astype(np.float32)
