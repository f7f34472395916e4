"""The tokenizer of the shipped models: byte-pair encoding that preserves every input character."""

import json
from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

PAD, START, END, UNKNOWN = "<pad>", "<s>", "</s>", "<unk>"


def train_tokenizer(texts: Iterable[str], *, vocab_size: int, language_tokens: list[str]) -> Tokenizer:
    """Trains byte-pair encoding with byte fallback (Sennrich et al. 2016).

    A character without a piece becomes its UTF-8 bytes, `<0x00>` to `<0xFF>`, so that decoding restores every
    input; the vocabulary contains `<unk>`, but encoding never produces it.

    Args:
        texts: training sentences.
        vocab_size: number of pieces, including special tokens and bytes.
        language_tokens: tokens such as "<de>", which name the target language before each source.
    """
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN, byte_fallback=True, fuse_unk=False))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFC(),
            normalizers.Replace("▁", "_"),  # decodes to a space, since it marks the start of a word
            normalizers.Replace(Regex(r"\s+"), " "),  # these models treat a line break as a space
            normalizers.Strip(),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation(), pre_tokenizers.Digits(individual_digits=True)]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    special = [PAD, START, END, UNKNOWN, *language_tokens]
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=special + [f"<0x{byte:02X}>" for byte in range(256)],
        limit_alphabet=160,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    # The trainer reserves pieces only as special tokens; the byte pieces are not special, since decoding keeps them.
    description = json.loads(tokenizer.to_str())
    description["added_tokens"] = [token for token in description["added_tokens"] if token["content"] in special]
    tokenizer = Tokenizer.from_str(json.dumps(description))
    tokenizer.encode_special_tokens = True  # "</s>" in a user's text is text
    return tokenizer
