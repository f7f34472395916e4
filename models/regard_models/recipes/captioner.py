"""Recipe of `flickr8k`: captions for photographs (Hodosh et al. 2013), over the frozen EfficientNet-Lite0.

    python -m regard_models.recipes.captioner --data DATA/flickr8k --out OUT [--steps 2200] [--reinforced-steps 0]

The recipe computes the features of the images once and stores them in OUT/features (1.6 GB). Training changes only the
layers that read the features: first on human captions, then for --reinforced-steps on the CIDEr-D of drawn captions,
which the shipped model skipped. It keeps the epoch with the best BLEU-4 of greedy captions on dev.
"""

import argparse
import json
import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from regard_models.checkpoint import Checkpoint
from regard_models.nets.captioner import Captioner
from regard_models.nets.captioner_family import CaptionerConfig, build, load_weights, stored_weights, write_config
from regard_models.nets.captioner_lstm import LstmCaptionerConfig
from regard_models.nets.captioner_transformer import TransformerCaptionerConfig
from regard_models.nets.efficientnet import EfficientNet
from regard_models.nets.transformer import TransformerConfig
from regard_models.recipes.captioner_data import (
    CaptionBatch,
    CaptionVocabulary,
    TrainingImages,
    epoch,
    mirror,
    read_captions,
)
from regard_models.recipes.captioner_features import features, published_encoder
from regard_models.recipes.captioner_losses import caption_loss
from regard_models.recipes.captioner_reward import CiderD, self_critical_loss
from regard_models.recipes.captioner_scores import bleu
from regard_models.recipes.captioner_search import caption
from regard_models.recipes.memory import keep_freed_memory
from regard_models.recipes.resuming import check_options
from regard_models.recipes.tokenizer import train_tokenizer
from regard_models.recipes.training import TrainingLoop, TrainingPlan, endless, named

VOCAB_SIZE = 3072
IMAGES_PER_BATCH = 32  # with five captions each
# Chosen on dev.
NUM_BEAMS = 3
LENGTH_PENALTY = 0.7

CONFIGS: dict[str, CaptionerConfig] = {
    "transformer": TransformerCaptionerConfig(
        TransformerConfig(
            vocab_size=VOCAB_SIZE,
            width=256,
            num_heads=4,
            encoder_layers=1,
            decoder_layers=3,
            feed_forward_width=1024,
            max_positions=64,
        )
    ),
    "lstm": LstmCaptionerConfig(vocab_size=VOCAB_SIZE),
    "lstm-hard": LstmCaptionerConfig(vocab_size=VOCAB_SIZE, attention="hard"),
}


def main() -> None:
    """Trains with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with train.tar and train.jsonl.gz, and dev")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--decoder", choices=CONFIGS, default="transformer")
    parser.add_argument("--steps", type=int, default=2200, help="on human captions, in total over all calls")
    parser.add_argument("--reinforced-steps", type=int, default=0, help="then on CIDEr-D, in total over all calls")
    parser.add_argument("--dropout", type=float, default=0.3)
    parser.add_argument("--feature-dropout", type=float, default=0.2)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    check_options(options.out, {"--decoder": options.decoder})
    (options.out / "features").mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)

    corpus = _corpus(options.data, options.out)
    config = CONFIGS[options.decoder]
    model = build(config, dropout=options.dropout, feature_dropout=options.feature_dropout)
    model.encoder.load_state_dict(corpus.encoder.state_dict())
    training = Training(model.to(options.device), config, corpus, options.out, options.device)
    plan = _plan(corpus, options.steps, peak_rate=1e-3, warmup_steps=200, decay_share=0.8)
    training.run(plan, lambda batch: caption_loss(model, batch), "written")
    if options.reinforced_steps:
        cider = CiderD(corpus.views[0].captions)
        plan = _plan(corpus, options.reinforced_steps, peak_rate=1e-4, warmup_steps=20, decay_share=0.5)
        training.run(plan, lambda batch: self_critical_loss(model, corpus.vocabulary, cider, batch), "reinforced")
    training.finish()


def _plan(corpus: "Corpus", steps: int, *, peak_rate: float, warmup_steps: int, decay_share: float) -> TrainingPlan:
    """Validates at the end of each epoch."""
    num_batches = math.ceil(len(corpus.views[0].captions) / IMAGES_PER_BATCH)
    decay_steps = round(decay_share * steps)
    return TrainingPlan(
        steps, peak_rate, warmup_steps=warmup_steps, decay_steps=decay_steps, validate_every=num_batches
    )


@dataclass(frozen=True)
class Corpus:
    """Flickr8k, prepared for training.

    Attributes:
        views: the training images, original and mirrored.
        dev_features: float16 [images, channels, rows, columns].
    """

    vocabulary: CaptionVocabulary
    encoder: EfficientNet
    views: list[TrainingImages]
    dev_features: NDArray[np.float16]
    dev_captions: list[list[str]]


def _corpus(data: Path, out: Path) -> Corpus:
    captions, stored = read_captions(data, "train"), out / "features"
    vocabulary = CaptionVocabulary(_tokenizer(out / "tokenizer.json", captions))
    encoder = published_encoder()
    plain = TrainingImages.of(features(encoder, data, "train", stored), captions, vocabulary)
    mirrored_captions = [[mirror(text) for text in group] for group in captions]
    mirrored_features = features(encoder, data, "train", stored, mirrored=True)
    mirrored = TrainingImages.of(mirrored_features, mirrored_captions, vocabulary)
    dev_features = features(encoder, data, "dev", stored)
    return Corpus(vocabulary, encoder, [plain, mirrored], dev_features, read_captions(data, "dev"))


def _tokenizer(file: Path, captions: list[list[str]]) -> Tokenizer:
    if file.exists():
        tokenizer = Tokenizer.from_file(str(file))
        tokenizer.encode_special_tokens = True
        return tokenizer
    texts = (text for group in captions for text in group)
    tokenizer = train_tokenizer(texts, vocab_size=VOCAB_SIZE, language_tokens=[])
    tokenizer.save(str(file))
    return tokenizer


def mean_weights(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The mean of two models' weights, by name."""
    return {name: (weight + other[name]) / 2 for name, weight in one.items()}


class Training:
    """The phases of a training; each starts from the best epoch of the phase before."""

    def __init__(self, model: Captioner, config: CaptionerConfig, corpus: Corpus, out: Path, device: str) -> None:
        self._model = model
        self._config = config
        self._corpus = corpus
        self._out = out
        self._device = device
        self._phases: dict[str, Any] = {}

    def run(self, plan: TrainingPlan, loss_of: Callable[[CaptionBatch], Tensor], phase: str) -> None:
        """Makes the plan's steps, continuing where an earlier call stopped; takes the best epoch, or the mean of it
        and the last one (Wortsman et al. 2022, "Model soups"), whichever scores higher.
        """
        state, best = self._out / f"{phase}-training", self._out / phase
        if not best.exists():
            self._keep_better(best)  # the start of a phase counts too
        TrainingLoop(
            state,
            self._model,
            endless(self._epochs),
            lambda batch: named(loss_of(batch)),
            lambda model, step: self._keep_better(best),
            device=self._device,
        ).run(plan)
        last = {name: weight.cpu() for name, weight in stored_weights(self._model).items()}
        self._keep_better(best)
        load_weights(self._model, mean_weights(Checkpoint.load(best).weights, last))
        self._keep_better(best)
        load_weights(self._model, Checkpoint.load(best).weights)
        self._phases[phase] = {"steps": plan.steps, "device": self._device}

    def finish(self) -> None:
        """Writes the checkpoint with its dev scores by beam search."""
        scores = {f"{name}/flickr8k-dev": score for name, score in self._scores(num_beams=NUM_BEAMS).items()}
        print(scores, flush=True)
        card = {
            "name": "flickr8k",
            "task": "captioning",
            "data": "Flickr8k (Hodosh, Young and Hockenmaier 2013), 6,000 photographs with five captions each",
            "license": "photographs belong to the Flickr users who took them; research and education",
            "weights_license": "encoder: EfficientNet-Lite0, Apache-2.0; the rest: as the data",
            "recipe": "models/regard_models/recipes/captioner.py",
            "training": self._phases,
            "max_target_tokens": 40,
            "generation": {"num_beams": NUM_BEAMS, "length_penalty": LENGTH_PENALTY, "max_new_tokens": 32},
            "scores": scores,
        }
        self._save(self._out, card)

    def _epochs(self) -> Iterator[Iterator[CaptionBatch]]:
        rng = random.Random(1)
        while True:
            yield epoch(self._corpus.views, self._corpus.vocabulary, num_images=IMAGES_PER_BATCH, rng=rng)

    def _keep_better(self, folder: Path) -> dict[str, float]:
        """Saves the current model unless the folder's model scores higher on dev; returns its scores."""
        scores = self._scores(num_beams=1)
        print(f"\n{folder.name}: {scores}", flush=True)
        card = folder / "card.json"
        if not card.exists() or scores["bleu4"] > json.loads(card.read_text())["scores"]["bleu4"]:
            self._save(folder, {"scores": scores})
        return scores

    def _scores(self, *, num_beams: int) -> dict[str, float]:
        outputs = caption(
            self._model,
            self._corpus.vocabulary,
            self._corpus.dev_features,
            device=self._device,
            num_beams=num_beams,
            length_penalty=LENGTH_PENALTY,
        )
        return bleu(outputs, self._corpus.dev_captions)

    def _save(self, folder: Path, card: dict[str, Any]) -> None:
        weights, tokenizer = stored_weights(self._model), self._corpus.vocabulary.tokenizer
        Checkpoint(write_config(self._config), weights, tokenizer, card).save(folder)


if __name__ == "__main__":
    keep_freed_memory()
    main()
