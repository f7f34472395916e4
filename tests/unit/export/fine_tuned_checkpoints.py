"""Checkpoints whose vocabularies grew as fine-tuners grow them: tokens added, ordinary and special, tables resized."""

import warnings
from pathlib import Path
from typing import Any

import torch
from transformers import AddedToken, AutoTokenizer, EncoderDecoderModel, MarianMTModel

from regard_export.checkpoints.source_model import LoadOptions
from tests.unit.export.family_checkpoints import FAMILIES, TinyFamily, write_family
from tests.unit.export.marian_checkpoints import write_marian

ORDINARY = ("<hl>", "Covid", "~q~")
SPECIAL = ("<sep2>", "<cls2>")
MARIAN = TinyFamily(MarianMTModel, lambda _: None, lambda _: None, languages=("en", "de"))
NAMES = (*FAMILIES, "marian", "marian unigram")


def tiny_family(name: str) -> TinyFamily:
    return MARIAN if name.startswith("marian") else FAMILIES[name]


def write_fine_tuned(folder: Path, name: str, *, multiple: int | None = 64) -> Path:
    """Writes a family's checkpoint with `ORDINARY` and `SPECIAL` tokens, and a table resized to a multiple."""
    if name.startswith("marian"):
        write_marian(folder, kind="unigram" if "unigram" in name else "bpe", bad_words_ids=None)
    else:
        write_family(folder, name)
    family, tokenizer = tiny_family(name), open_tokenizer(folder)
    net: Any = family.net.from_pretrained(folder)
    plain, stripping = ORDINARY[:-1], ORDINARY[-1]
    tokenizer.add_tokens([*plain, AddedToken(stripping, lstrip=True, rstrip=True)])
    tokenizer.add_tokens([SPECIAL[0], AddedToken(SPECIAL[1], lstrip=True)], special_tokens=True)
    torch.manual_seed(0)
    for resized in (net.encoder, net.decoder) if isinstance(net, EncoderDecoderModel) else (net,):
        resized.resize_token_embeddings(len(tokenizer), pad_to_multiple_of=multiple, mean_resizing=False)
    tokenizer.save_pretrained(folder)
    net.save_pretrained(folder)
    return folder


def open_tokenizer(folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Recommended: pip install sacremoses")
        return AutoTokenizer.from_pretrained(folder)


def fine_tuned_options(name: str) -> LoadOptions:
    return LoadOptions() if name.startswith("marian") else FAMILIES[name].load_options
