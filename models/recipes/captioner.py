"""Recipe of `flickr8k`: captions for photographs (Hodosh et al. 2013), over the frozen EfficientNet-Lite0.

    python -m models.recipes.captioner --data DATA/flickr8k --out OUT [--minutes 35] [--decoder transformer]

The features of the images are computed once and kept in OUT/features (1.8 GB); only what reads them is trained. What is
kept is the epoch with the best BLEU-4 of greedy captions on dev.
"""

import argparse
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from models.checkpoint import Checkpoint
from models.nets.captioner import Captioner
from models.nets.captioner_transformer import TransformerCaptioner, TransformerCaptionerConfig
from models.nets.efficientnet import EfficientNet
from models.nets.transformer import TransformerConfig
from models.recipes.captioner_data import (
    CaptionBatch,
    CaptionVocabulary,
    TrainingImages,
    epoch,
    mirror,
    read_captions,
)
from models.recipes.captioner_features import features, published_encoder
from models.recipes.captioner_scores import bleu
from models.recipes.captioner_search import caption
from models.recipes.corpus import IGNORED_LABEL
from models.recipes.tokenizer import train_tokenizer
from models.recipes.training import TrainingPlan, train

VOCAB_SIZE = 3072
IMAGES_A_BATCH = 32  # with five captions each

CONFIG = TransformerCaptionerConfig(
    TransformerConfig(
        vocab_size=VOCAB_SIZE,
        width=256,
        num_heads=4,
        encoder_layers=1,
        decoder_layers=3,
        feed_forward_width=1024,
        max_positions=64,
    )
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with train.tar and train.jsonl.gz, and dev")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=35, help="training time, over all calls")
    parser.add_argument("--dropout", type=float, default=0.3)
    parser.add_argument("--feature-dropout", type=float, default=0.2)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    (options.out / "features").mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)

    captions = read_captions(options.data, "train")
    vocabulary = CaptionVocabulary(_tokenizer(options.out / "tokenizer.json", captions))
    encoder = published_encoder()
    views = _views(encoder, captions, vocabulary, options)
    dev = features(encoder, options.data, "dev", options.out / "features")
    dev_captions = read_captions(options.data, "dev")
    model = TransformerCaptioner(CONFIG, dropout=options.dropout, feature_dropout=options.feature_dropout)
    model.encoder.load_state_dict(encoder.state_dict())
    model.to(options.device)

    def passes() -> Iterator[Iterator[CaptionBatch]]:
        rng, best = random.Random(1), 0.0
        while True:
            yield epoch(views, vocabulary, num_images=IMAGES_A_BATCH, rng=rng)
            scores = bleu(caption(model, vocabulary, dev, device=options.device), dev_captions)
            model.train()
            print(f"\n{scores}", flush=True)
            if scores["bleu4"] > best:
                best = scores["bleu4"]
                write_checkpoint(options.out / "best", model, vocabulary, {"scores": scores})

    plan = TrainingPlan(minutes=options.minutes, peak_rate=options.rate, warmup_steps=200, hold=0.2)
    train(model, _loss_of(model), passes(), plan, options.out / "state.pt", device=options.device)
    print(bleu(caption(model, vocabulary, dev, device=options.device), dev_captions), flush=True)


def _loss_of(model: Captioner) -> Any:
    def loss_of(batch: CaptionBatch) -> Tensor:
        logits = model(batch.features.float(), batch.target).logits
        return functional.cross_entropy(
            logits.flatten(0, 2), batch.labels.flatten(), ignore_index=IGNORED_LABEL, label_smoothing=0.1
        )

    return loss_of


def _tokenizer(file: Path, captions: list[list[str]]) -> Tokenizer:
    if file.exists():
        tokenizer = Tokenizer.from_file(str(file))
        tokenizer.encode_special_tokens = True
        return tokenizer
    texts = (text for group in captions for text in group)
    tokenizer = train_tokenizer(texts, vocab_size=VOCAB_SIZE, language_tokens=[])
    tokenizer.save(str(file))
    return tokenizer


def _views(
    encoder: EfficientNet, captions: list[list[str]], vocabulary: CaptionVocabulary, options: argparse.Namespace
) -> list[TrainingImages]:
    """The training images as they are, and mirrored."""
    stored = options.out / "features"
    plain = TrainingImages.of(features(encoder, options.data, "train", stored), captions, vocabulary)
    mirrored_captions = [[mirror(text) for text in group] for group in captions]
    mirrored = features(encoder, options.data, "train", stored, mirrored=True)
    return [plain, TrainingImages.of(mirrored, mirrored_captions, vocabulary)]


def write_checkpoint(
    out: Path, model: TransformerCaptioner, vocabulary: CaptionVocabulary, card: dict[str, Any]
) -> None:
    weights = model.state_dict()
    del weights["transformer.head.weight"]
    Checkpoint({"family": "regard-captioner", **model.config.to_json()}, weights, vocabulary.tokenizer, card).save(out)


if __name__ == "__main__":
    main()
