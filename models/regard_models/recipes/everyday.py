"""Recipe of `everyday`: English to German, French and Spanish, everyday sentences of Tatoeba.

    python -m regard_models.recipes.everyday --data DATA/tatoeba --out OUT [--minutes 80] [--device cuda]

One model translates into three languages: a token before the source names the target language.
"""

import argparse
import random
from collections.abc import Iterator
from pathlib import Path

import torch
from tokenizers import Tokenizer

from regard_models.nets.transformer import Transformer, TransformerConfig
from regard_models.recipes.corpus import join_neighbours, vary_names
from regard_models.recipes.pairs import Pair, read_pairs
from regard_models.recipes.tokenizer import train_tokenizer
from regard_models.recipes.training import Minutes, TrainingPlan
from regard_models.recipes.translation import Vocabulary, fit, greedy_bleu, write_checkpoint

LANGUAGES = ("de", "fr", "es")
VOCAB_SIZE = 8000

# A deep encoder and a shallow decoder: the encoder runs once, the decoder at every step (Kasai et al. 2021).
CONFIG = TransformerConfig(
    vocab_size=VOCAB_SIZE, width=256, num_heads=4, encoder_layers=4, decoder_layers=2, feed_forward_width=1024
)


def epochs(pairs: list[Pair], rng: random.Random) -> Iterator[list[Pair]]:
    """Yields epochs without end; each draws other names and joins other neighbours."""
    while True:
        varied = [vary_names(pair, rng) for pair in pairs]
        yield join_neighbours(varied, rng, share=0.08)


def main() -> None:
    """Trains with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with en-de, en-fr and en-es")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=80, help="training time, in total over all calls")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    rng = random.Random(1)

    pairs = [p for code in LANGUAGES for p in read_pairs(options.data / f"en-{code}", "train", code)]
    vocabulary = Vocabulary(_tokenizer(options.out / "tokenizer.json", pairs, rng))

    # No dropout: within this budget a model sees each pair only a few times and does not overfit.
    model = Transformer(CONFIG).to(options.device)
    plan = TrainingPlan(Minutes(options.minutes), peak_rate=2e-3)
    steps = fit(model, vocabulary, epochs(pairs, rng), plan, options.out, device=options.device)
    scores = {
        f"dev_{code}_greedy_bleu": greedy_bleu(
            model, vocabulary, read_pairs(options.data / f"en-{code}", "dev", code), device=options.device
        )
        for code in LANGUAGES
    }
    print(scores)
    card = {
        "name": "everyday",
        "task": "translation",
        "source_languages": ["en"],
        "target_languages": list(LANGUAGES),
        "data": "Tatoeba sentence pairs, as selected by www.manythings.org/anki",
        "license": "CC BY 2.0 FR (attribution: tatoeba.org and www.manythings.org/anki)",
        "recipe": "models/regard_models/recipes/everyday.py",
        "training": {"minutes": options.minutes, "steps": steps, "device": options.device},
        "scores": scores,
    }
    write_checkpoint(options.out, CONFIG, model, vocabulary, card)


def _tokenizer(file: Path, pairs: list[Pair], rng: random.Random) -> Tokenizer:
    """Trains the tokenizer on the first call; later calls, which continue the training, read it."""
    if file.exists():
        tokenizer = Tokenizer.from_file(str(file))
        tokenizer.encode_special_tokens = True
        return tokenizer
    varied = [vary_names(pair, rng) for pair in pairs]
    tokenizer = train_tokenizer(
        (text for pair in varied for text in (pair.source, pair.target)),
        vocab_size=VOCAB_SIZE,
        language_tokens=[f"<{code}>" for code in LANGUAGES],
    )
    tokenizer.save(str(file))
    return tokenizer


if __name__ == "__main__":
    main()
