"""A bundle's tokenizer, for reading and writing."""

import json
import re
import threading
import unicodedata
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from functools import lru_cache

from tokenizers import Encoding, Tokenizer

from regard_service.bundle import Bundle, ControlToken
from regard_service.domain.results import Span, Token
from regard_service.text.moses.tokenizer import MosesEncoding, MosesTokenizer

# The library reads single texts while it holds the interpreter, and lists of texts without. The latter costs some time.
MAX_CHARACTERS_HOLDING = 1000

MAX_CONTROL_TOKENIZERS = 2  # in memory beside the plain one, which may have tens of megabytes


MOSES_SUFFIX = ".moses.json"

AnyTokenizer = Tokenizer | MosesTokenizer


def load_tokenizer(bundle: Bundle, file: str) -> AnyTokenizer:
    """Reads a bundle's tokenizer. Special tokens that a user types are text like any other."""
    if file.endswith(MOSES_SUFFIX):
        return MosesTokenizer.parse(bundle.path(file).read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_file(str(bundle.path(file)))
    tokenizer.encode_special_tokens = True
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def parse_tokenizer(name: str, content: str) -> AnyTokenizer:
    """Reads the content of a tokenizer's file, whose name says of which kind it is."""
    return MosesTokenizer.parse(content) if name.endswith(MOSES_SUFFIX) else Tokenizer.from_str(content)


def with_control_tokens(tokenizer: AnyTokenizer, tokens: Iterable[ControlToken]) -> Tokenizer:
    """Returns a copy of a tokenizer that reads these tokens in a text; all other special tokens remain text."""
    content = json.loads(tokenizer.to_str())
    by_content = {token.content: token for token in tokens}
    others = [token for token in content["added_tokens"] if token["content"] not in by_content]
    # The library reads tokens as such unless they are special; it numbers new ones in the order of this list.
    chosen = [{**token.model_dump(), "special": False} for token in by_content.values()]
    content["added_tokens"] = sorted([*others, *chosen], key=lambda token: int(token["id"]))
    if content["model"]["type"] == "Unigram":  # bundles spell its special pieces so that no text matches them
        for token in by_content.values():
            if token.id < len(content["model"]["vocab"]):
                content["model"]["vocab"][token.id][0] = token.content
    changed = Tokenizer.from_str(json.dumps(content, ensure_ascii=False))
    changed.encode_special_tokens = True
    return changed


def encoded(tokenizer: AnyTokenizer, text: str) -> Encoding | MosesEncoding:
    """Returns a text's tokens, without special ones. While it reads a long text, other threads go on."""
    if isinstance(tokenizer, MosesTokenizer):
        return tokenizer.encode(text)
    if len(text) <= MAX_CHARACTERS_HOLDING:
        return tokenizer.encode(text, add_special_tokens=False)
    (encoding,) = tokenizer.encode_batch([text], add_special_tokens=False)
    return encoding


def unknown_id(tokenizer: AnyTokenizer) -> int | None:
    """Returns the token that stands for words outside of the vocabulary, or None."""
    if isinstance(tokenizer, MosesTokenizer):
        return tokenizer.unknown_id
    piece = getattr(tokenizer.model, "unk_token", None)
    return None if piece is None else tokenizer.token_to_id(piece)


_BYTE_PIECE = re.compile("<0x[0-9A-F]{2}>")
_UNASSIGNED = ("\ue000", "\U000f1234")  # of private use: no vocabulary has them


class Alphabet:
    """Which texts a vocabulary has pieces for. Safe in several threads.

    Characters that it lacks are read as one unknown piece or byte by byte, and a model has hardly seen either.
    Vocabularies of bytes lack nothing, and those of whole words do not know characters.
    """

    def __init__(self, tokenizer: AnyTokenizer) -> None:
        self._tokenizer = tokenizer
        self.lacks = lru_cache(1024)(self._lacks)
        first, second = (self._encode(character).ids[-1:] for character in _UNASSIGNED)
        unknown = first if first == second else []
        found = (tokenizer.token_to_id(f"<0x{byte:02X}>") for byte in range(256))
        byte_ids = [piece for piece in found if piece is not None]
        is_of_characters = not any(map(_BYTE_PIECE.fullmatch, self._encode("e").tokens))
        is_of_characters &= isinstance(tokenizer, MosesTokenizer) or type(tokenizer.model).__name__ != "WordLevel"
        self._rare = frozenset([*unknown, *byte_ids] if is_of_characters else [])

    def _lacks(self, text: str) -> bool:
        """Whether the vocabulary lacks a character of a text."""
        return not self._rare.isdisjoint(self._encode(text).ids)

    def _encode(self, text: str) -> Encoding | MosesEncoding:
        return encoded(self._tokenizer, text)


def without_leading_space(text: str, start: int, end: int) -> Span:
    """Returns the span [start, end) of a text without the white space that it starts with."""
    while start < end and text[start].isspace():
        start += 1
    return Span(start, end)


def tokens_of(
    text: str, ids: Sequence[int], pieces: Sequence[str], offsets: Sequence[tuple[int, int]], unknown_id: int | None
) -> list[Token]:
    """Returns the tokens that a tokenizer found in a text; each piece that it does not know is spelled as in the text.

    Args:
        offsets: of each token in the text, with white space before it.
    """
    ends, tokens = ends_after_accents(text), []
    for token_id, piece, (start, stop) in zip(ids, pieces, offsets, strict=True):
        end = ends[stop]
        while start < end and text[start].isspace():
            start += 1
        spelled = text[start:end] if token_id == unknown_id else piece
        # A text has dozens of tokens: `_make` takes half of the time of a call by names.
        tokens.append(Token._make((token_id, spelled, Span._make((start, end)), False, 0.0, None)))
    return tokens


def ends_after_accents(text: str) -> Sequence[int]:
    """Returns, for each position, the position after the accents that start there.

    A normalizer may have joined the accents with the letter before them. One pass computes all positions: a pass for
    each would take quadratic time in a text of accents.
    """
    ends = range(len(text) + 1)
    if text.isascii():
        return ends
    found = list(ends)
    for position in reversed(range(len(text))):
        if unicodedata.combining(text[position]):
            found[position] = found[position + 1]
    return found


class ControlTokenizers:
    """Makes and keeps a bundle's tokenizers that read control tokens. Safe in several threads.

    A control token is a special token of the model, such as <hl>, that callers place in a text. It is read only where
    the request names it: in all other requests it is text, so that nobody who only types a text can place one.
    """

    def __init__(self, tokenizer: AnyTokenizer, tokens: Sequence[ControlToken]) -> None:
        self._plain = tokenizer
        self._tokens = {token.content: token for token in tokens}
        self._made: OrderedDict[frozenset[str], AnyTokenizer] = OrderedDict()
        self._lock = threading.Lock()

    def reading(self, names: frozenset[str], text: str) -> AnyTokenizer:
        """Returns a tokenizer that reads these tokens in a text.

        Args:
            names: some of the bundle's control tokens.
        """
        if not names:
            return self._plain
        others = [token for name, token in self._tokens.items() if name not in names]
        if not any(token.normalized or token.content in text for token in others):
            names = frozenset(self._tokens)  # one tokenizer suits many requests
        with self._lock:
            made = self._made.get(names)
            if made is None:
                made = with_control_tokens(self._plain, [self._tokens[name] for name in names])
                self._made[names] = made
                if len(self._made) > MAX_CONTROL_TOKENIZERS:
                    self._made.popitem(last=False)
            self._made.move_to_end(names)
            return made
