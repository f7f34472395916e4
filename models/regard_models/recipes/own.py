"""A translator of your own pairs: languages, sizes and the layout of the data are options.

    python -m regard_models.recipes.own --data pairs.tsv --languages en-de --out checkpoint [--steps 3000]

The checkpoint is what `regard export` reads. Training continues where an earlier call with the same --out ended; sizes,
languages and --dev must then be those of that call.
"""

import argparse
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from regard_models.nets.transformer import Transformer, TransformerConfig
from regard_models.recipes.memory import keep_freed_memory
from regard_models.recipes.own_data import LAYOUTS, BadData, read
from regard_models.recipes.pairs import Pair
from regard_models.recipes.resuming import OtherOptions, check_options
from regard_models.recipes.tokenizer import train_tokenizer
from regard_models.recipes.training import OtherTraining, TrainingPlan
from regard_models.recipes.translation import Vocabulary, fit, greedy_bleu, write_checkpoint

_TOKENIZER = "tokenizer.json"
_MAX_PIECES = 120  # longer pairs are left out of the training
_SAMPLE = 200_000  # sentences that the vocabulary is made from


def _languages(text: str) -> tuple[str, tuple[str, ...]]:
    pairs = [pair.split("-") for pair in text.split(",")]
    sources = {pair[0] for pair in pairs}
    if len(sources) != 1 or any(len(pair) != 2 or not all(pair) for pair in pairs):
        raise argparse.ArgumentTypeError(f"{text!r}: pairs with one source are expected, such as en-de,en-fr")
    return sources.pop(), tuple(dict.fromkeys(pair[1] for pair in pairs))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="a file, or with --layout lines a folder")
    parser.add_argument("--layout", choices=LAYOUTS, default="tsv", help="see regard_models/recipes/own_data.py")
    parser.add_argument("--languages", type=_languages, required=True, help="source-target: en-de, or en-de,en-fr")
    parser.add_argument("--out", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--name", default="own")
    parser.add_argument("--license", default="", help="of data and weights, for the model's card")
    parser.add_argument("--vocabulary", type=int, default=8000, help="most pieces, 256 of them for bytes")
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--layers", type=int, nargs=2, default=(4, 2), metavar=("ENCODER", "DECODER"))
    parser.add_argument("--steps", type=int, default=3000, help="optimizer steps, in total over all calls")
    parser.add_argument("--tokens", type=int, default=4096, help="tokens of a batch")
    parser.add_argument("--rate", type=float, default=2e-3, help="the highest learning rate")
    parser.add_argument("--dev", type=int, default=200, help="pairs that are held out to measure BLEU")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains with the options of the command line."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.width % options.heads:
        parser.error(f"--width {options.width} is no multiple of --heads {options.heads}")
    source, targets = options.languages
    try:
        pairs = read(options.data, options.layout, source, targets)
    except (BadData, OSError) as error:
        parser.error(str(error))
    random.Random(1).shuffle(pairs)
    if len(pairs) <= options.dev:
        parser.error(f"{len(pairs)} pairs are too few: --dev {options.dev} are held out")
    dev, train = pairs[: options.dev], pairs[options.dev :]
    try:
        check_options(options.out / "training", _lasting(options))
        _train(options, train, dev)
    except (OtherOptions, OtherTraining) as error:
        parser.error(str(error))


def _lasting(options: argparse.Namespace) -> dict[str, Any]:
    """The options that hold for all calls of a training: the net's, and which pairs it never learns from."""
    source, targets = options.languages
    return {
        "--languages": ",".join(f"{source}-{target}" for target in targets),
        "--vocabulary": options.vocabulary,
        "--width": options.width,
        "--heads": options.heads,
        "--layers": options.layers,
        "--dev": options.dev,
    }


def _train(options: argparse.Namespace, train: list[Pair], dev: list[Pair]) -> None:
    """Trains, or continues a training, and writes the checkpoint."""
    source, targets = options.languages
    torch.manual_seed(1)
    vocabulary = Vocabulary(_tokenizer(options, train, targets))
    config = _config(options, vocabulary)
    model = Transformer(config, dropout=0.1).to(options.device)
    plan = TrainingPlan(
        options.steps, options.rate, warmup_steps=max(1, options.steps // 10), decay_steps=6 * options.steps // 10
    )
    out, device = options.out, options.device
    limits = {"max_tokens": options.tokens, "max_pieces": _MAX_PIECES}
    fit(model, vocabulary, lambda: _epochs(train), plan, out, device=device, **limits)
    scores = _scores(model, vocabulary, dev, targets, device)
    print(scores)
    write_checkpoint(out, config, model, vocabulary, _card(options, source, targets, scores))


def _tokenizer(options: argparse.Namespace, pairs: list[Pair], targets: Sequence[str]) -> Tokenizer:
    """The vocabulary: that of an earlier call, which the weights in --out belong to, or a new one."""
    file = options.out / "training" / _TOKENIZER
    if file.is_file():
        tokenizer = Tokenizer.from_file(str(file))
        tokenizer.encode_special_tokens = True
        return tokenizer
    texts = (text for pair in pairs[:_SAMPLE] for text in (pair.source, pair.target))
    tokens = [f"<{code}>" for code in targets]
    tokenizer = train_tokenizer(texts, vocab_size=options.vocabulary, language_tokens=tokens)
    tokenizer.save(str(file))
    return tokenizer


def _config(options: argparse.Namespace, vocabulary: Vocabulary) -> TransformerConfig:
    encoder_layers, decoder_layers = options.layers
    return TransformerConfig(
        vocab_size=vocabulary.tokenizer.get_vocab_size(),
        width=options.width,
        num_heads=options.heads,
        encoder_layers=encoder_layers,
        decoder_layers=decoder_layers,
        feed_forward_width=4 * options.width,
    )


def _epochs(pairs: list[Pair]) -> Iterator[list[Pair]]:
    while True:
        yield pairs


def _scores(
    model: Transformer, vocabulary: Vocabulary, dev: list[Pair], targets: Sequence[str], device: str
) -> dict[str, float]:
    """BLEU of greedy translations, by target language; none for a language without held-out pairs."""
    by_target = {code: [pair for pair in dev if pair.language == code] for code in targets}
    return {
        f"bleu/dev/{code}": round(greedy_bleu(model, vocabulary, pairs, device=device), 2)
        for code, pairs in by_target.items()
        if pairs
    }


def _card(options: argparse.Namespace, source: str, targets: Sequence[str], scores: dict[str, float]) -> dict[str, Any]:
    return {
        "name": options.name,
        "task": "translation",
        "source_languages": [source],
        "target_languages": list(targets),
        "data": options.data.name,
        "license": options.license,
        "recipe": "models/regard_models/recipes/own.py",
        "training": {"steps": options.steps, "device": options.device},
        "scores": scores,
    }


if __name__ == "__main__":
    keep_freed_memory()
    main()
