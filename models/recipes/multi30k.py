"""Recipe of `multi30k`: English to German and French, descriptions of photographs (Elliott et al. 2016, 2017).

    python -m models.recipes.multi30k --data DATA/multi30k --start CHECKPOINT --out OUT [--minutes 60]

Training goes on from the checkpoint of `everyday`: 29,000 sentences are few, and the everyday ones teach the
languages first (transfer as in Zoph et al. 2016). The architecture and the tokenizer are therefore the same.
"""

import argparse
import random
from collections.abc import Iterator
from pathlib import Path

import torch

from models.recipes.corpus import Pair, read_pairs
from models.recipes.training import TrainingPlan
from models.recipes.translation import fit, greedy_bleu, load_translator, write_checkpoint

# German is what the literature compares; French comes along for a quarter of the steps.
SHARES = {"de": 1.0, "fr": 0.33}


def epochs(pairs: dict[str, list[Pair]], rng: random.Random) -> Iterator[list[Pair]]:
    """Endless epochs; each draws a language's share of its pairs."""
    while True:
        yield [
            pair for code, share in SHARES.items() for pair in rng.sample(pairs[code], int(share * len(pairs[code])))
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with train.en.gz and its translations")
    parser.add_argument("--start", type=Path, required=True, help="checkpoint of `everyday`")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60, help="training time, over all calls")
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)

    pairs = {code: read_pairs(options.data, "train", code) for code in SHARES}
    model, vocabulary = load_translator(options.start, dropout=options.dropout)
    model.to(options.device)
    plan = TrainingPlan(minutes=options.minutes, peak_rate=1e-3, warmup_steps=100, hold=0.1)
    steps = fit(model, vocabulary, epochs(pairs, random.Random(1)), plan, options.out, device=options.device)
    scores = {
        f"{split}_{code}_greedy_bleu": greedy_bleu(
            model, vocabulary, read_pairs(options.data, split, code), device=options.device, lowercase=True
        )
        for split in ("val", "test_2016_flickr")
        for code in SHARES
    }
    print(scores)
    card = {
        "name": "multi30k",
        "task": "translation",
        "source_languages": ["en"],
        "target_languages": list(SHARES),
        "data": "Multi30k (task 1), after Tatoeba",
        "license": "research and non-commercial use (Multi30k states no licence); Tatoeba: CC BY 2.0 FR",
        "recipe": "models/recipes/multi30k.py",
        "training": {"minutes": options.minutes, "steps": steps, "device": options.device},
        "scores": scores,
    }
    write_checkpoint(options.out, model.config, model, vocabulary, card)


if __name__ == "__main__":
    main()
