"""Inputs for models without dev examples: English for those that read it, else texts of their own vocabulary."""

import string

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from regard_export.examples.sentences import EXAMPLE_SENTENCES
from regard_export.examples.vocabulary_texts import readable_texts

FORMULAS = (*"CNOSPF()=#123", "Cl", "Br", "[nH]", "@@")


def _tokenizer(pieces: tuple[str, ...]) -> Tokenizer:
    """Splits texts between all pieces, as the tokenizers of chemical models do."""
    tokenizer = Tokenizer(models.WordLevel({piece: i for i, piece in enumerate(("<unk>", *pieces))}, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(" ", "")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"\[nH\]|@@|Br|Cl|."), "isolated")
    return tokenizer


def test_a_model_of_formulas_gets_formulas() -> None:
    tokenizer = _tokenizer(FORMULAS)
    texts = readable_texts(tokenizer)
    assert len(texts) == len(EXAMPLE_SENTENCES)
    assert len(set(texts)) > 10
    unknown = tokenizer.token_to_id("<unk>")
    ids = [i for text in texts for i in tokenizer.encode(str(text)).ids]
    assert unknown not in ids
    assert len(set(ids)) > len(FORMULAS) // 2
    assert readable_texts(tokenizer) == texts  # the same in calibration and in verification


def test_a_model_of_english_gets_sentences() -> None:
    assert readable_texts(_tokenizer((*string.ascii_letters, *string.punctuation))) is EXAMPLE_SENTENCES


def test_a_unigram_model_names_its_unknown_token_by_its_place() -> None:
    pieces = [("<unk>", 0.0), *((piece, -2.0) for piece in "αβγδ▁")]
    tokenizer = Tokenizer(models.Unigram(pieces, 0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    assert set("".join(map(str, readable_texts(tokenizer)))) <= set("αβγδ▁ ")


def test_a_vocabulary_of_which_nothing_is_readable() -> None:
    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0}, unk_token="<unk>"))
    assert readable_texts(tokenizer) is EXAMPLE_SENTENCES
