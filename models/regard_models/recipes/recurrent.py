"""Recipe of `multi30k-bahdanau` and `multi30k-luong`: English to German, descriptions of photographs.

    python -m regard_models.recipes.recurrent --data DATA/multi30k --style bahdanau --out OUT [--steps 2400]

Trains the two recurrent translators of 2015 on the same sentences (Elliott et al. 2016) as the transformer of
`multi30k.py`, but without another corpus before.
"""

import argparse
from itertools import repeat
from pathlib import Path
from typing import Any

import sacrebleu
import torch
from tokenizers import Tokenizer

from regard_models.checkpoint import Checkpoint
from regard_models.nets.recurrent import RecurrentConfig, RecurrentTranslator, Style
from regard_models.recipes.corpus import pad_batch
from regard_models.recipes.memory import keep_freed_memory
from regard_models.recipes.pairs import Pair, read_pairs
from regard_models.recipes.resuming import check_options
from regard_models.recipes.tokenizer import END, PAD, START, train_tokenizer
from regard_models.recipes.training import TrainingPlan
from regard_models.recipes.translation import Vocabulary, fit

LANGUAGE = "de"
VOCAB_SIZE = 4000  # small, so that each piece occurs often in 29,000 sentences

# As in the papers: a GRU with the additive score, an LSTM with the general score.
CONFIGS: dict[Style, RecurrentConfig] = {
    "bahdanau": RecurrentConfig(VOCAB_SIZE, 256, 256, 512, style="bahdanau", score="additive", cell="gru"),
    "luong": RecurrentConfig(VOCAB_SIZE, 256, 256, 512, style="luong", score="general", cell="lstm"),
}

ATTENTION: dict[Style, str] = {
    "bahdanau": "attention after Bahdanau et al. 2015",
    "luong": "attention after Luong et al. 2015",
}

LENGTH_PENALTIES: dict[Style, float] = {"bahdanau": 1.6, "luong": 1.0}  # chosen on val, with 5 beams


def main() -> None:
    """Trains with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with train.en.gz and train.de.gz")
    parser.add_argument("--style", choices=CONFIGS, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=2400, help="optimizer steps, in total over all calls")
    parser.add_argument("--dropout", type=float, default=0.3)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    check_options(options.out / "training", {"--style": options.style})
    torch.manual_seed(1)

    pairs = read_pairs(options.data, "train", LANGUAGE)
    vocabulary = Vocabulary(tokenizer_of(pairs))
    config = CONFIGS[options.style]
    net = RecurrentTranslator(config, dropout=options.dropout).to(options.device)
    plan = TrainingPlan(options.steps, peak_rate=2e-3, warmup_steps=200, decay_steps=7 * options.steps // 10)
    fit(net, vocabulary, lambda: repeat(pairs), plan, options.out, device=options.device, max_tokens=2048)
    scores = {
        f"{split}_{LANGUAGE}_greedy_bleu": greedy_bleu(
            net, vocabulary, read_pairs(options.data, split, LANGUAGE), device=options.device
        )
        for split in ("val", "test_2016_flickr")
    }
    print(scores)
    card: dict[str, Any] = {
        "name": f"multi30k-{options.style}",
        "task": "translation",
        "description": f"descriptions of photographs, English to German; recurrent, {ATTENTION[options.style]}",
        "source_languages": ["en"],
        "target_languages": [LANGUAGE],
        "data": "Multi30k (task 1)",
        "license": "research and non-commercial use (Multi30k states no licence)",
        "recipe": "models/regard_models/recipes/recurrent.py",
        "training": {
            "steps": options.steps,
            "device": options.device,
            "dropout": options.dropout,
        },
        "generation": {"length_penalty": LENGTH_PENALTIES[options.style]},
        "scores": scores,
    }
    save(options.out, net, vocabulary, card)


def tokenizer_of(pairs: list[Pair]) -> Tokenizer:
    """Trains the tokenizer on both sides of the training pairs; both styles have the same."""
    return train_tokenizer(
        (text for pair in pairs for text in (pair.source, pair.target)),
        vocab_size=VOCAB_SIZE,
        language_tokens=[f"<{LANGUAGE}>"],
    )


def save(out: Path, net: RecurrentTranslator, vocabulary: Vocabulary, card: dict[str, Any]) -> None:
    """Writes the finished checkpoint beside the training state."""
    weights = net.state_dict()
    del weights["head.weight"]  # the embedding table
    Checkpoint({"family": "regard-recurrent", **net.config.to_json()}, weights, vocabulary.tokenizer, card).save(out)


@torch.inference_mode()
def translate(
    net: RecurrentTranslator, vocabulary: Vocabulary, texts: list[str], *, device: str, max_new_tokens: int = 80
) -> list[str]:
    """Translates greedily, in batches of 100."""
    net.eval()
    start_id, pad_id, end_id = vocabulary.id(START), vocabulary.id(PAD), vocabulary.id(END)
    results: list[str] = []
    for first in range(0, len(texts), 100):
        sources = [vocabulary.source(text, LANGUAGE) for text in texts[first : first + 100]]
        batch = pad_batch([(source, [end_id]) for source in sources], start_id=start_id, pad_id=pad_id).to(device)
        memory = net.encode(batch.source, batch.source_mask)
        state, tokens = net.start(memory), batch.target[:, 0]
        chosen: list[torch.Tensor] = []
        finished = torch.zeros(len(sources), dtype=torch.bool, device=device)
        while not finished.all() and len(chosen) < max_new_tokens:
            logits, _, state = net.step(tokens, state, memory)
            tokens = logits.argmax(-1).masked_fill(finished, end_id)
            finished |= tokens == end_id
            chosen.append(tokens)
        results += [vocabulary.decode(row) for row in torch.stack(chosen, dim=1).tolist()]
    return results


def greedy_bleu(net: RecurrentTranslator, vocabulary: Vocabulary, pairs: list[Pair], *, device: str) -> float:
    """sacreBLEU of greedy translations, ignoring case."""
    translations = translate(net, vocabulary, [pair.source for pair in pairs], device=device)
    return float(sacrebleu.corpus_bleu(translations, [[pair.target for pair in pairs]], lowercase=True).score)


if __name__ == "__main__":
    keep_freed_memory()
    main()
