"""A bundle's tokenizer of Moses' tokens and subword-nmt's pieces, with the `tokenizers` library's methods."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from regard_service.text.moses.detokenizer import MosesDetokenizer, Spacing, unescaped
from regard_service.text.moses.merges import Merges
from regard_service.text.moses.normalization import normalized
from regard_service.text.moses.tables import MosesTables
from regard_service.text.moses.traced import TracedText
from regard_service.text.moses.words import MosesWords

CONTINUED = "@@"
"""Ends a piece whose word goes on."""


@dataclass(frozen=True)
class MosesEncoding:
    """The pieces of a text: ids, pieces, and the range of the text that each stands for."""

    ids: list[int]
    tokens: list[str]
    offsets: list[tuple[int, int]]


class MosesTokenizer:
    """Reads and writes texts of one language. Safe in several threads.

    Attributes:
        detokenizer: writes words as text.
        unknown_id: the piece of all that the vocabulary lacks.
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._content = content
        tables = MosesTables.parse(content["tables"])
        self.detokenizer = MosesDetokenizer(tables)
        self._language, self._words = tables.language, MosesWords(tables)
        self._merges = Merges([(str(first), str(second)) for first, second in content["merges"]], content["version"])
        self._pieces: list[str] = [str(piece) for piece in content["pieces"]]
        self._ids = {piece: i for i, piece in enumerate(self._pieces)}
        self.unknown_id = self._ids[content["unknown"]]
        never_text = frozenset(content["special"])
        self._text_ids = {piece: i for piece, i in self._ids.items() if piece not in never_text}

    @classmethod
    def parse(cls, content: str) -> "MosesTokenizer":
        """Reads a tokenizer's file.

        Raises:
            ValueError: the file is damaged.
        """
        try:
            return cls(json.loads(content))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"not a tokenizer of Moses' tokens: {error!r}") from error

    def encode(self, text: str) -> MosesEncoding:
        """Returns the pieces of a text."""
        encoding = MosesEncoding([], [], [])
        for word in self._words.cut(normalized(TracedText.unchanged(text), self._language)):
            start, pieces = 0, self._merges.cut(word.text)
            for number, piece in enumerate(pieces, 1):
                end = start + len(piece)
                spelled = piece if number == len(pieces) else piece + CONTINUED
                encoding.ids.append(self._text_ids.get(spelled, self.unknown_id))
                encoding.tokens.append(spelled)
                encoding.offsets.append((min(word.starts[start:end]), max(word.ends[start:end])))
                start = end
        return encoding

    def decode(self, ids: Sequence[int]) -> str:
        """Returns the text of pieces."""
        text, spacing = "", Spacing()
        for word in self._joined(ids):
            text += self.detokenizer.space(word, spacing) + word
            spacing = self.detokenizer.after(word, spacing)
        return text

    def _joined(self, ids: Sequence[int]) -> list[str]:
        """The words that pieces form."""
        words, begun = [], ""
        for piece in map(self._pieces.__getitem__, ids):
            begun += piece.removesuffix(CONTINUED)
            if not piece.endswith(CONTINUED):
                words.append(begun)
                begun = ""
        return [unescaped(word) for word in [*words, begun] if word]

    def token_to_id(self, piece: str) -> int | None:
        """Returns a piece's id; None if there is none."""
        return self._ids.get(piece)

    def id_to_token(self, token_id: int) -> str | None:
        """Returns the piece of an id; None if there is none."""
        return self._pieces[token_id] if 0 <= token_id < len(self._pieces) else None

    def get_vocab(self) -> dict[str, int]:
        """Returns the pieces' ids."""
        return dict(self._ids)

    def to_str(self) -> str:
        """Returns the tokenizer's file."""
        return json.dumps(self._content, ensure_ascii=False)
