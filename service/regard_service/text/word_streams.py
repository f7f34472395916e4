"""Writes a target text whose pieces form Moses' tokens: which space a word has follows from the words before it."""

from collections.abc import Iterable, Set
from copy import copy
from dataclasses import dataclass, field

from regard_service.domain.results import Span, Token
from regard_service.text.moses.detokenizer import Spacing, decided, unescaped
from regard_service.text.moses.tokenizer import CONTINUED, MosesTokenizer


@dataclass
class WordStream:
    """Text that grows token by token, as `TargetStream`. A word is shown from its first piece on if that decides on the
    space before it, else when it is complete.

    Attributes:
        special_ids: tokens that are never text. They end a word.
        text: what is shown.
    """

    tokenizer: MosesTokenizer
    special_ids: Set[int]
    text: str = ""
    _spacing: Spacing = field(default_factory=Spacing)
    _word: str = ""  # the pieces of the last word, as they are in the vocabulary
    _num_shown: int = 0  # characters of it

    def add(self, token_id: int, logprob: float) -> Token:
        """Appends a token; its span is the text that it adds."""
        start, piece = len(self.text), self.tokenizer.id_to_token(token_id) or ""
        if token_id in self.special_ids:
            self._end()
            return Token(token_id, piece, None, True, logprob)
        self._word += piece.removesuffix(CONTINUED)
        if piece.endswith(CONTINUED):
            self._show(decided(self._word))
        else:
            self._end()
        is_spaced = self.text[start : start + 1] == " "
        return Token(token_id, piece, Span(start + is_spaced, len(self.text)), False, logprob)

    def extend(self, scored: Iterable[tuple[int, float]]) -> list[Token]:
        """Appends tokens, each an id with its log-probability."""
        return [self.add(token_id, logprob) for token_id, logprob in scored]

    def addition(self, token_id: int) -> str:
        """Returns the text that a token would add, as the last one."""
        ahead = copy(self)
        ahead.add(token_id, 0.0)
        ahead._end()
        return ahead.text[len(self.text) :]

    def _show(self, begun: str) -> None:
        detokenizer = self.tokenizer.detokenizer
        if self._num_shown:
            self.text += begun[self._num_shown :]
        elif detokenizer.is_settled(begun):
            self.text += detokenizer.space(begun, self._spacing) + begun
        else:
            return
        self._num_shown = max(len(begun), self._num_shown)

    def _end(self) -> None:
        """Shows the rest of the last word."""
        word = unescaped(self._word)
        if word:
            if self._num_shown:
                self.text += word[self._num_shown :]
            else:
                self.text += self.tokenizer.detokenizer.space(word, self._spacing) + word
            self._spacing = self.tokenizer.detokenizer.after(word, self._spacing)
        self._word, self._num_shown = "", 0
