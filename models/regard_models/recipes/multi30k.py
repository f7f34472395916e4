"""Recipe of `multi30k`: English to German, descriptions of photographs (Elliott et al. 2016).

    python -m regard_models.recipes.multi30k --data DATA/multi30k --start CHECKPOINT --out OUT [--steps 4300]

Training continues from the checkpoint of `everyday`, since 29,000 sentences are too few to learn the language (transfer
as in Zoph et al. 2016). So architecture and tokenizer are those of `everyday`.
"""

import argparse
from itertools import repeat
from pathlib import Path

import torch

from regard_models.recipes.memory import keep_freed_memory
from regard_models.recipes.pairs import read_pairs
from regard_models.recipes.training import TrainingPlan
from regard_models.recipes.translation import fit, greedy_bleu, load_translator, write_checkpoint

LANGUAGES = ("de",)  # the tokenizer of `everyday` also has a token for "fr"


def main() -> None:
    """Trains with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with train.en.gz and its translations")
    parser.add_argument("--start", type=Path, required=True, help="checkpoint of `everyday`")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=4300, help="optimizer steps, in total over all calls")
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)

    pairs = [pair for code in LANGUAGES for pair in read_pairs(options.data, "train", code)]
    model, vocabulary = load_translator(options.start, dropout=options.dropout)
    model.to(options.device)
    plan = TrainingPlan(options.steps, peak_rate=1e-3, warmup_steps=100, decay_steps=9 * options.steps // 10)
    fit(model, vocabulary, lambda: repeat(pairs), plan, options.out, device=options.device)
    scores = {
        f"{split}_{code}_greedy_bleu": greedy_bleu(
            model, vocabulary, read_pairs(options.data, split, code), device=options.device, lowercase=True
        )
        for split in ("val", "test_2016_flickr")
        for code in LANGUAGES
    }
    print(scores)
    card = {
        "name": "multi30k",
        "task": "translation",
        "source_languages": ["en"],
        "target_languages": list(LANGUAGES),
        "data": "Multi30k (task 1), after Tatoeba",
        "license": "research and non-commercial use (Multi30k states no licence); Tatoeba: CC BY 2.0 FR",
        "recipe": "models/regard_models/recipes/multi30k.py",
        "training": {"steps": options.steps, "device": options.device},
        "scores": scores,
    }
    write_checkpoint(options.out, model.config, model, vocabulary, card)


if __name__ == "__main__":
    keep_freed_memory()
    main()
