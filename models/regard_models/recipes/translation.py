"""Shared by the translation recipes: trains on pairs of sentences, scores, and writes the checkpoint."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sacrebleu
import torch
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional

from regard_models.checkpoint import Checkpoint
from regard_models.nets.transformer import Transformer, TransformerConfig
from regard_models.recipes.corpus import IGNORED_LABEL, Batch, Example, batches, pad_batch
from regard_models.recipes.pairs import Pair
from regard_models.recipes.tokenizer import END, PAD, START
from regard_models.recipes.training import Loss, TrainingLoop, TrainingPlan, endless, named


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer and the ids of its special tokens."""

    tokenizer: Tokenizer

    def id(self, piece: str) -> int:
        """The id of a piece.

        Raises:
            ValueError: the tokenizer lacks the piece.
        """
        token_id = self.tokenizer.token_to_id(piece)
        if token_id is None:
            raise ValueError(f"the tokenizer has no piece {piece!r}")
        return int(token_id)

    def source(self, text: str, language: str) -> list[int]:
        """The model's input: the target language's token, the text's pieces, the end token."""
        return [self.id(f"<{language}>"), *self.tokenizer.encode(text).ids, self.id(END)]

    def examples(self, pairs: list[Pair]) -> list[Example]:
        """Source and target ids of pairs, both with their end token."""
        sources = self.tokenizer.encode_batch_fast([pair.source for pair in pairs])
        targets = self.tokenizer.encode_batch_fast([pair.target for pair in pairs])
        end = self.id(END)
        return [
            ([self.id(f"<{pair.language}>"), *source.ids, end], [*target.ids, end])
            for pair, source, target in zip(pairs, sources, targets, strict=True)
        ]

    def decode(self, ids: list[int]) -> str:
        """The text of a target, without start, end and padding tokens."""
        kept = [i for i in ids if i not in (self.id(PAD), self.id(START), self.id(END))]
        return str(self.tokenizer.decode(kept, skip_special_tokens=False))


def fit(
    model: nn.Module,
    vocabulary: Vocabulary,
    epochs: Callable[[], Iterator[list[Pair]]],
    plan: TrainingPlan,
    out: Path,
    *,
    device: str,
    max_tokens: int = 4096,
    max_pieces: int = 120,
) -> None:
    """Trains a translator; continues where an earlier call with this `out` ended.

    Label smoothing is 0.1 (Vaswani et al. 2017, section 5.4). Drops examples longer than `max_pieces`. Calls the model
    like `Transformer.forward`; its output must have `logits`.

    Args:
        epochs: makes the same endless epochs at every call.
    """
    start_id, pad_id = vocabulary.id(START), vocabulary.id(PAD)

    def loss_of(batch: Batch) -> Loss:
        # need_weights=True: for short sentences the plain kernel is twice as fast as the fused kernel on CPU.
        logits = model(batch.source, batch.source_mask, batch.target, need_weights=device == "cpu").logits
        return named(
            functional.cross_entropy(
                logits.flatten(0, 1), batch.labels.flatten(), ignore_index=IGNORED_LABEL, label_smoothing=0.1
            )
        )

    def passes() -> Iterator[Iterator[Batch]]:
        rng = random.Random(1)
        for pairs in epochs():
            examples = [e for e in vocabulary.examples(pairs) if max(map(len, e)) <= max_pieces]
            yield batches(examples, max_tokens=max_tokens, start_id=start_id, pad_id=pad_id, rng=rng)

    TrainingLoop(out / "training", model, endless(passes), loss_of, device=device).run(plan)


@torch.inference_mode()
def translate(
    model: Transformer,
    vocabulary: Vocabulary,
    texts: list[str],
    language: str,
    *,
    device: str,
    max_new_tokens: int = 80,
) -> list[str]:
    """Translates greedily, in batches of 100 of similar lengths; tests compare serving graphs with it."""
    model.eval()
    sources = [vocabulary.source(text, language) for text in texts]
    order = sorted(range(len(sources)), key=lambda number: len(sources[number]))
    results = [""] * len(texts)
    for first in range(0, len(order), 100):
        numbers = order[first : first + 100]
        outputs = _greedy(model, vocabulary, [sources[n] for n in numbers], device, max_new_tokens)
        for number, output in zip(numbers, outputs, strict=True):
            results[number] = vocabulary.decode(output)
    return results


def _greedy(
    model: Transformer, vocabulary: Vocabulary, sources: list[list[int]], device: str, max_new_tokens: int
) -> list[list[int]]:
    """The outputs' ids; an output that ended is computed no further."""
    start_id, pad_id, end_id = vocabulary.id(START), vocabulary.id(PAD), vocabulary.id(END)
    batch = pad_batch([(source, [end_id]) for source in sources], start_id=start_id, pad_id=pad_id).to(device)
    memory, mask, target = model.encode(batch.source, batch.source_mask)[0], batch.source_mask, batch.target
    live = list(range(len(sources)))
    outputs: list[list[int]] = [[] for _ in sources]
    while live and target.shape[1] <= max_new_tokens:
        states, _, _ = model.decode(target, memory, mask)
        tokens = model.head(states[:, -1]).argmax(-1)
        for row, token in zip(live, tokens.tolist(), strict=True):
            outputs[row].append(token)
        goes_on = tokens != end_id
        live = [row for row, is_live in zip(live, goes_on.tolist(), strict=True) if is_live]
        target = torch.cat([target, tokens[:, None]], dim=1)[goes_on]
        memory, mask = memory[goes_on], mask[goes_on]
    return outputs


def greedy_bleu(
    model: Transformer, vocabulary: Vocabulary, pairs: list[Pair], *, device: str, lowercase: bool = False
) -> float:
    """sacreBLEU of greedy translations of pairs that share one target language."""
    translations = translate(model, vocabulary, [p.source for p in pairs], pairs[0].language, device=device)
    return float(sacrebleu.corpus_bleu(translations, [[p.target for p in pairs]], lowercase=lowercase).score)


def write_checkpoint(
    out: Path, config: TransformerConfig, model: Transformer, vocabulary: Vocabulary, card: dict[str, Any]
) -> None:
    """Writes the finished checkpoint beside the training state."""
    weights = model.state_dict()
    if config.tie_embeddings:
        del weights["head.weight"]
    family = {"family": "regard-transformer", **config.to_json()}
    Checkpoint(family, weights, vocabulary.tokenizer, card).save(out)


def load_translator(folder: Path, *, dropout: float = 0.0) -> tuple[Transformer, Vocabulary]:
    """Loads a checkpoint of `write_checkpoint`, for further training or as a reference."""
    checkpoint = Checkpoint.load(folder)
    config = TransformerConfig(**{name: value for name, value in checkpoint.config.items() if name != "family"})
    model = Transformer(config, dropout=dropout)
    weights = dict(checkpoint.weights)
    if config.tie_embeddings:
        weights["head.weight"] = weights["embedding.weight"]
    model.load_state_dict(weights)
    return model, Vocabulary(checkpoint.tokenizer)
