"""The tokenizer of ByT5 (Xue et al. 2022), whose tokens are the bytes of a text, for the `tokenizers` library."""

from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers

NUM_BYTES = 256


def byte_tokenizer(tokenizer: Any, ids: dict[str, int], added: list[Any]) -> str:
    """The tokenizer as JSON; it reads and writes.

    Args:
        tokenizer: a `ByT5Tokenizer`, whose bytes follow its first special tokens.
        ids: all ids by the names of their tokens, which are not those of bytes.
        added: ordinary tokens that are read wherever they stand in a text.
    """
    # The library spells a byte as a printable character: the alphabet, in the order of the bytes.
    spelled = {byte: spelling for spelling, byte in _byte_of_spelling().items()}
    pieces = {spelled[byte]: tokenizer.offset + byte for byte in range(NUM_BYTES)}
    taken = set(pieces.values())
    pieces |= {name: i for name, i in ids.items() if i not in taken}
    made = Tokenizer(models.BPE(pieces, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    made.add_tokens(added)
    return str(made.to_str())


def _byte_of_spelling() -> dict[str, int]:
    """The byte that each printable character stands for, as in GPT-2 (Radford et al. 2019)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(NUM_BYTES) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(NUM_BYTES + i): byte for i, byte in enumerate(others)}
