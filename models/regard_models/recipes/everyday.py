"""Recipe of `everyday`: English to German, French and Spanish: everyday sentences, help texts, figures, short entries.

    python -m regard_models.recipes.everyday --data DATA --out OUT --steps 20000 [--start CHECKPOINT] [--device cuda]

Several GPUs: `torchrun --nproc-per-node GPUS -m regard_models.recipes.everyday --accumulate GPUS ...`. On CPUs that do
other work too, set OMP_WAIT_POLICY=passive: threads that wait for each other then burn no time.

One model translates into three languages: a token before the source names the target language. DATA has the folders
`tatoeba` and `libreoffice_help`. A call with an OUT of before continues there, and ends at the same weights as one call
that was never interrupted. With `--start`, training begins from the weights of an earlier checkpoint, whose vocabulary
it extends.
"""

import argparse
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from regard_models.checkpoint import Checkpoint
from regard_models.nets.transformer import Transformer, TransformerConfig
from regard_models.recipes.corpus import IGNORED_LABEL, vary_names
from regard_models.recipes.everyday_data import LANGUAGES, Mixture, Stream, read_help
from regard_models.recipes.extended_vocabulary import extend_embedding, extend_tokenizer, more_merges
from regard_models.recipes.figures import MASKS
from regard_models.recipes.guided_batches import GuidedBatch
from regard_models.recipes.memory import keep_freed_memory
from regard_models.recipes.pairs import Pair, read_pairs
from regard_models.recipes.processes import Processes
from regard_models.recipes.tokenizer import train_tokenizer
from regard_models.recipes.training import Log, Loss, TrainingLoop, TrainingPlan
from regard_models.recipes.translation import Vocabulary, greedy_bleu, write_checkpoint
from regard_models.recipes.word_links import link_words

VOCAB_SIZE = 8000  # of a tokenizer from Tatoeba alone
MORE_MERGES = 2400  # for help texts and for capitals

# A deep encoder and a shallow decoder: the encoder runs once, the decoder at every step (Kasai et al. 2021).
CONFIG = TransformerConfig(
    vocab_size=VOCAB_SIZE, width=256, num_heads=4, encoder_layers=4, decoder_layers=2, feed_forward_width=1024
)

ALIGNMENT_HEAD = (1, 1)  # layer and head that guided alignment trains
ALIGNMENT_WEIGHT = 0.15
AVERAGE = 4  # snapshots


def main() -> None:
    """Trains with the options of the command line."""
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    if options.threads:
        torch.set_num_threads(options.threads)
    mixture = linked_mixture(options.data, options.out, options.seed)
    rng = random.Random(options.seed)
    tokenizer, model = _beginning(options, mixture, rng)
    plan = TrainingPlan(
        options.steps, options.peak_rate, warmup_steps=options.warmup_steps, decay_steps=options.decay_steps,
        accumulate=options.accumulate, average=AVERAGE, validate_every=options.validate_every,
    )  # fmt: skip
    recipe = _Recipe(options, Vocabulary(tokenizer))
    stream = Stream(mixture, tokenizer, options.max_tokens)
    training = TrainingLoop(
        options.out,
        model.to(options.device),
        stream,
        recipe.loss_of(model),
        recipe.validate,
        device=options.device,
        processes=Processes.join(options.device),
    )
    print(training.run(plan))


def linked_mixture(data: Path, out: Path, seed: int) -> Mixture:
    """Reads Tatoeba and LibreOffice's help, and links their words; later calls read the links from `out`."""
    tatoeba = [p for code in LANGUAGES for p in read_pairs(data / "tatoeba" / f"en-{code}", "train", code)]
    help_texts = [p for code in LANGUAGES for p in read_help(data / "libreoffice_help", "train", code)]
    pairs = _linked(tatoeba + help_texts, out / "links.npz")
    return Mixture(pairs[: len(tatoeba)], pairs[len(tatoeba) :], seed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with tatoeba and libreoffice_help")
    parser.add_argument("--out", type=Path, required=True, help="for state, log and checkpoint; continues there")
    parser.add_argument("--start", type=Path, help="checkpoint to start from")
    parser.add_argument("--more-merges", type=int, default=MORE_MERGES, help="pieces to add to the first vocabulary")
    parser.add_argument("--steps", type=int, default=20000, help="optimizer steps, those of earlier calls included")
    parser.add_argument("--decay-steps", type=int, default=4000, help="last steps, over which the rate falls to zero")
    parser.add_argument("--warmup-steps", type=int, default=500)
    parser.add_argument("--peak-rate", type=float, default=2e-3)
    parser.add_argument("--max-tokens", type=int, default=4096, help="padded tokens of a batch")
    parser.add_argument("--accumulate", type=int, default=1, help="batches of a step")
    parser.add_argument("--validate-every", type=int, default=500, help="steps")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, help="CPU threads; by default one for each core")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


def _beginning(options: argparse.Namespace, mixture: Mixture, rng: random.Random) -> tuple[Tokenizer, Transformer]:
    """The tokenizer, which later calls read, and the model that training begins with."""
    out, start = options.out, options.start
    earlier = Checkpoint.load(start) if start else None
    base = earlier.tokenizer if earlier else None
    merges_file, file = out / "merges.txt", out / "tokenizer.json"
    if base is None:
        base = _read_tokenizer(out / "base.json") if (out / "base.json").exists() else _train_base(mixture.tatoeba, rng)
        base.save(str(out / "base.json"))
    if merges_file.exists():
        merges = [(a, b) for a, b in (line.split(" ") for line in merges_file.read_text("utf-8").splitlines())]
    else:
        merges = more_merges(base, _texts_for_merges(mixture, rng), options.more_merges)
        merges_file.write_text("".join(f"{a} {b}\n" for a, b in merges), "utf-8")
    tokenizer = extend_tokenizer(base, merges, MASKS)
    tokenizer.save(str(file))
    config = replace(_config(earlier), vocab_size=tokenizer.get_vocab_size())
    model = Transformer(config)
    if earlier:
        weights = dict(earlier.weights)
        weights["embedding.weight"] = extend_embedding(weights["embedding.weight"], base, tokenizer, merges)
        weights["head.weight"] = weights["embedding.weight"]
        model.load_state_dict(weights)
    return tokenizer, model


def _config(earlier: Checkpoint | None) -> TransformerConfig:
    if earlier is None:
        return CONFIG
    return TransformerConfig(**{name: value for name, value in earlier.config.items() if name != "family"})


def _train_base(tatoeba: Sequence[Pair], rng: random.Random) -> Tokenizer:
    varied = [vary_names(pair, rng) for pair in tatoeba]
    return train_tokenizer(
        (text for pair in varied for text in (pair.source, pair.target)),
        vocab_size=VOCAB_SIZE,
        language_tokens=[f"<{code}>" for code in LANGUAGES],
    )


def _read_tokenizer(file: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.encode_special_tokens = True
    return tokenizer


def _texts_for_merges(mixture: Mixture, rng: random.Random) -> list[str]:
    """Help texts as they are, and a part of the everyday sentences in capitals."""
    capitals = [vary_names(pair, rng) for pair in rng.sample(mixture.tatoeba, len(mixture.tatoeba) // 6)]
    texts = [text for pair in mixture.help for text in (pair.source, pair.target)]
    return texts + [text.upper() for pair in capitals for text in (pair.source, pair.target)]


def _linked(pairs: list[Pair], file: Path) -> list[Pair]:
    """The pairs with the links of their words, which later calls read from a file."""
    if not file.exists():
        every: list[tuple[tuple[int, int], ...]] = [()] * len(pairs)
        for code in LANGUAGES:
            numbers = [number for number, pair in enumerate(pairs) if pair.language == code]
            links = link_words([(pairs[number].source, pairs[number].target) for number in numbers])
            for number, each in zip(numbers, links, strict=True):
                every[number] = each
        flat = np.array([link for links in every for link in links], np.uint8).reshape(-1, 2)
        np.savez(file, links=flat, ends=np.cumsum([len(links) for links in every]))
    stored = np.load(file)
    flat, ends = stored["links"].tolist(), stored["ends"].tolist()
    starts = [0, *ends[:-1]]
    return [
        replace(pair, links=tuple(map(tuple, flat[start:end])))
        for pair, start, end in zip(pairs, starts, ends, strict=True)
    ]


class _Recipe:
    """The loss, and the validation along the way."""

    def __init__(self, options: argparse.Namespace, vocabulary: Vocabulary) -> None:
        self._options, self._vocabulary = options, vocabulary
        self._dev = {code: read_pairs(options.data / "tatoeba" / f"en-{code}", "dev", code)[:200] for code in LANGUAGES}
        self._help = {code: read_help(options.data / "libreoffice_help", "dev", code)[:60] for code in LANGUAGES}

    def loss_of(self, model: Transformer) -> Any:
        """Label smoothing 0.1 (Vaswani et al. 2017, section 5.4) and guided alignment."""
        layer, head = ALIGNMENT_HEAD

        def loss(batch: GuidedBatch) -> Loss:
            output = model(batch.source, batch.source_mask, batch.target, need_weights=True)
            written = functional.cross_entropy(
                output.logits.flatten(0, 1), batch.labels.flatten(), ignore_index=IGNORED_LABEL, label_smoothing=0.1
            )
            aligned = guided_loss(output.cross_attention[layer][:, head], batch.linked)
            return written + ALIGNMENT_WEIGHT * aligned, {"loss": written.item(), "alignment": aligned.item()}

        return loss

    def validate(self, model: Transformer, step: int) -> Log:
        """Greedy BLEU on a part of the dev sets; writes the checkpoint."""
        scores: Log = {}
        for code in LANGUAGES:
            for name, pairs in (("tatoeba", self._dev[code]), ("help", self._help[code])):
                bleu = greedy_bleu(model, self._vocabulary, pairs, device=self._options.device)
                scores[f"{name}_{code}"] = round(bleu, 2)
        write_checkpoint(self._options.out, model.config, model, self._vocabulary, self._card(step))
        return scores

    def _card(self, step: int) -> dict[str, Any]:
        return {
            "name": "everyday",
            "task": "translation",
            "description": "everyday sentences and help texts, English to German, French and Spanish",
            "source_languages": ["en"],
            "target_languages": list(LANGUAGES),
            "data": "Tatoeba sentence pairs, as selected by www.manythings.org/anki; help pages of LibreOffice 7.4.7; "
            "sentences with figures and short entries of this project",
            "license": "CC BY 2.0 FR (attribution: tatoeba.org and www.manythings.org/anki); MPL-2.0 (The Document "
            "Foundation and contributors); Apache-2.0",
            "recipe": "models/regard_models/recipes/everyday.py",
            "training": {"steps": step, "seed": self._options.seed, "device": self._options.device},
            "alignment_heads": [list(ALIGNMENT_HEAD)],
            "alignment_method": "the head that guided alignment trains on links of IBM models",
            "alignment_shifted": True,
        }


def guided_loss(attention: Tensor, linked: Tensor) -> Tensor:
    """Mean negative log of the attention that falls on linked source tokens, over target tokens with links.

    Args:
        attention: float [batch, target, source]; each row sums to 1.
        linked: bool [batch, target, source].

    Returns:
        float []; 0 if nothing is linked.
    """
    on_links = (attention.float() * linked).sum(-1)
    counts = linked.any(-1)
    return -(on_links[counts] + 1e-6).log().sum() / counts.sum().clamp(min=1)


if __name__ == "__main__":
    keep_freed_memory()
    main()
