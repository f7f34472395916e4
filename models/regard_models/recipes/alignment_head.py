"""Recipe of an alignment head: a trained translator gets one more head, which aligns and does nothing else.

    python -m regard_models.recipes.alignment_head --data DATA --start CHECKPOINT --out OUT [--steps 800]

The head is in the decoder's last layer. Only its queries and keys are trained, on links of IBM models (`word_links`),
at the steps that read a token. Its values and its columns of the output projection are 0: the checkpoint in OUT
translates as the one in CHECKPOINT does, but its default alignment is sharp. DATA is that of `everyday`.
"""

import argparse
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from regard_models.checkpoint import Checkpoint
from regard_models.nets.transformer import DecoderLayer, Transformer, TransformerConfig
from regard_models.recipes.everyday import guided_loss, linked_mixture
from regard_models.recipes.everyday_data import Stream
from regard_models.recipes.guided_batches import GuidedBatch
from regard_models.recipes.memory import keep_freed_memory
from regard_models.recipes.training import Loss, TrainingLoop, TrainingPlan, named
from regard_models.recipes.translation import load_translator

RECIPE = "models/regard_models/recipes/alignment_head.py"
DATA = "for the alignment head: Tatoeba sentence pairs, help pages of LibreOffice 7.4.7"
LICENSE = "for the alignment head: MPL-2.0 (The Document Foundation and contributors) and CC BY 2.0 FR (tatoeba.org)"
METHOD = "a head of its own, which guided alignment trains on links of IBM models"


class AlignmentHead(nn.Module):
    """Queries and keys of one head.

    Args:
        width: of the translator; head_width: of the head.
    """

    def __init__(self, width: int, head_width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, head_width)
        self.key = nn.Linear(width, head_width)

    def forward(self, states: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        """Attends as a head of `MultiHeadAttention` does.

        Args:
            states: float [batch, target, width], what the layer's cross-attention reads.
            memory: float [batch, source, width].
            mask: bool [batch, source], False on padding.

        Returns:
            float [batch, target, source]; each row sums to 1.
        """
        scores = self.query(states) @ self.key(memory).transpose(1, 2) / math.sqrt(self.query.out_features)
        return scores.masked_fill(~mask[:, None], -math.inf).softmax(-1)


@torch.no_grad()
def states_of(model: Transformer, batch: GuidedBatch) -> tuple[Tensor, Tensor]:
    """What the last layer's cross-attention reads: float [batch, target, width], and the memory."""
    memory, _ = model.encode(batch.source, batch.source_mask)
    length = batch.target.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=batch.target.device).tril()
    x = model.embed(batch.target, "decoder")
    *earlier, last = (layer for layer in model.decoder if isinstance(layer, DecoderLayer))
    for layer in earlier:
        x, _, _ = layer(x, memory, causal, batch.source_mask[:, None, None], need_weights=False)
    y = last.self_attention_sublayer.before(x)
    update, _ = last.self_attention(y, y, causal, need_weights=False)
    return last.cross_attention_sublayer.before(last.self_attention_sublayer.after(x, update)), memory


def with_head(weights: dict[str, Tensor], config: TransformerConfig, head: AlignmentHead) -> dict[str, Tensor]:
    """The translator's weights with one more head in every attention of the decoder, which adds nothing to its output.

    In the last cross-attention it is `head`; elsewhere it repeats the first head, so that maps show no odd one out.
    """
    widened = dict(weights)
    for name, value in weights.items():
        if name.startswith("decoder.") and "_attention." in name:
            part, kind = name.split(".")[-2:]
            if part in ("query", "key"):
                widened[name] = torch.cat([value, value[: config.width_of_head]])
            elif part == "value":
                widened[name] = torch.cat([value, torch.zeros_like(value[: config.width_of_head])])
            elif kind == "weight":
                widened[name] = torch.cat([value, torch.zeros(len(value), config.width_of_head)], dim=1)
    last = f"decoder.{config.decoder_layers - 1}.cross_attention"
    for part, projection in (("query", head.query), ("key", head.key)):
        for kind, value in (("weight", projection.weight), ("bias", projection.bias)):
            widened[f"{last}.{part}.{kind}"][-config.width_of_head :] = value.detach().cpu()
    return widened


def add_head(checkpoint: Checkpoint, head: AlignmentHead) -> Checkpoint:
    """The checkpoint with the head, and a card that names it."""
    options = {name: value for name, value in checkpoint.config.items() if name != "family"}
    config = TransformerConfig(**options)
    wider = replace(
        config,
        num_heads=config.num_heads + 1,
        head_width=config.width_of_head,
        encoder_heads=config.encoder_heads or config.num_heads,
    )
    described = (("data", DATA), ("license", LICENSE), ("recipe", RECIPE))
    card: dict[str, Any] = {
        **checkpoint.card,
        **{name: "; ".join(filter(None, (checkpoint.card.get(name, ""), added))) for name, added in described},
        "alignment_heads": [[config.decoder_layers - 1, config.num_heads]],
        "alignment_method": METHOD,
        "alignment_shifted": True,
    }
    weights = with_head(checkpoint.weights, config, head)
    family = {"family": checkpoint.config["family"], **wider.to_json()}
    return Checkpoint(family, weights, checkpoint.tokenizer, card)


def main() -> None:
    """Trains with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with tatoeba and libreoffice_help")
    parser.add_argument("--start", type=Path, required=True, help="checkpoint of a translator")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=800, help="optimizer steps, in total over all calls")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    model, vocabulary = load_translator(options.start)
    model.to(options.device).eval()
    head = AlignmentHead(model.config.width, model.config.width_of_head).to(options.device)
    stream = Stream(linked_mixture(options.data, options.out, seed=1), vocabulary.tokenizer, max_tokens=4096)

    def loss_of(batch: GuidedBatch) -> Loss:
        states, memory = states_of(model, batch)
        return named(guided_loss(head(states, memory, batch.source_mask), batch.linked))

    plan = TrainingPlan(options.steps, peak_rate=3e-3, warmup_steps=50, decay_steps=7 * options.steps // 10)
    TrainingLoop(options.out, head, stream, loss_of, device=options.device).run(plan)
    add_head(Checkpoint.load(options.start), head).save(options.out)


if __name__ == "__main__":
    keep_freed_memory()
    main()
