"""The tokenizer of the shipped models: byte-pair encoding in which no input character is ever lost."""

import json
from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

PAD, START, END, UNKNOWN = "<pad>", "<s>", "</s>", "<unk>"


def train_tokenizer(texts: Iterable[str], *, vocab_size: int, language_tokens: list[str]) -> Tokenizer:
    """Trains byte-pair encoding with byte fallback (Sennrich et al. 2016).

    A character that no piece covers becomes its UTF-8 bytes, `<0x00>` to `<0xFF>`, so that decoding gives
    back every input; `<unk>` is in the vocabulary but never produced.

    Args:
        texts: training sentences.
        vocab_size: pieces in all, special tokens and bytes included.
        language_tokens: such as "<de>"; one stands in front of each source to name the target language.
    """
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN, byte_fallback=True, fuse_unk=False))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFC(),
            normalizers.Replace("▁", "_"),  # would come back as a space, since it marks a word's start
            normalizers.Replace(Regex(r"\s+"), " "),  # a line's end is no more than a space to these models
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
    # The trainer knows no other way to reserve the byte pieces; special they are not, since decoding keeps them.
    description = json.loads(tokenizer.to_str())
    description["added_tokens"] = [token for token in description["added_tokens"] if token["content"] in special]
    tokenizer = Tokenizer.from_str(json.dumps(description))
    tokenizer.encode_special_tokens = True  # "</s>" typed by a user is text
    return tokenizer
