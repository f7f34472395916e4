"""Control tokens: read where the request names them, text everywhere else; few tokenizers are kept."""

import json
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

from regard_service.bundle import ControlToken
from regard_service.text.tokenizer import MAX_CONTROL_TOKENIZERS, ControlTokenizers, encoded

CONTENTS = ("<a>", "<b>", "<c>")
PIECES = ("<unk>", *"abc<> ", "x")


def _control(tokenizer: Tokenizer, **options: bool) -> tuple[ControlToken, ...]:
    return tuple(ControlToken(content=c, id=tokenizer.token_to_id(c), **options) for c in CONTENTS)


@pytest.fixture(scope="module")
def byte_pairs() -> Tokenizer:
    """Special tokens behind the model's own vocabulary, as `add_tokens` leaves them."""
    tokenizer = Tokenizer(models.BPE({piece: i for i, piece in enumerate(PIECES)}, [], unk_token="<unk>"))
    tokenizer.add_special_tokens([AddedToken(content, special=True, normalized=False) for content in CONTENTS])
    tokenizer.encode_special_tokens = True
    return tokenizer


@given(text=st.lists(st.sampled_from([*CONTENTS, "a", "x", " "]), min_size=1, max_size=12).map("".join))
def test_only_named_tokens_are_read(byte_pairs: Tokenizer, text: str) -> None:
    control = _control(byte_pairs)
    tokenizers, ids = ControlTokenizers(byte_pairs, control), {token.content: token.id for token in control}
    for count in range(len(CONTENTS) + 1):
        for names in combinations(CONTENTS, count):
            read = encoded(tokenizers.reading(frozenset(names), text), text)
            for content in CONTENTS:
                assert read.ids.count(ids[content]) == (text.count(content) if content in names else 0)
    assert len(tokenizers._made) <= MAX_CONTROL_TOKENIZERS


def test_a_unigram_models_special_pieces_get_their_spelling_back() -> None:
    """Bundles spell them with a space, which no text matches."""
    pieces = [("<unk>", 0.0), ("▁", -1.0), ("x", -1.0), ("<b> ", -2.0), ("<", -3.0), ("b", -3.0), (">", -3.0)]
    tokenizer = Tokenizer(models.Unigram(pieces, 0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.encode_special_tokens = True
    tokenizers = ControlTokenizers(tokenizer, [ControlToken(content="<b>", id=3, rstrip=True)])
    assert tokenizers.reading(frozenset(), "x<b> x").encode("x<b> x").ids == [1, 2, 4, 5, 6, 1, 2]
    assert tokenizers.reading(frozenset({"<b>"}), "x<b> x").encode("x<b>  x").ids == [1, 2, 3, 1, 2]
    assert json.loads(tokenizer.to_str())["model"]["vocab"][3][0] == "<b> "


def test_a_token_that_is_found_in_normalized_text(byte_pairs: Tokenizer) -> None:
    tokenizer = Tokenizer.from_str(byte_pairs.to_str())
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.encode_special_tokens = True
    tokenizers = ControlTokenizers(tokenizer, _control(tokenizer, normalized=True))
    ids = tokenizers.reading(frozenset({"<a>"}), "<A> <B>").encode("<A> <B>").ids
    assert tokenizer.token_to_id("<a>") in ids
    assert tokenizer.token_to_id("<b>") not in ids
