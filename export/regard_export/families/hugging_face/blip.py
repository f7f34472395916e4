"""BLIP captioning (Li et al. 2022): a vision transformer and a BERT that attends to it."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from regard_service.generation import Generation
from torch import Tensor
from transformers import BlipForConditionalGeneration

from regard.arrays import Float32Array
from regard_export.architectures.vision_transformer import VisionEncoder
from regard_export.checkpoints.source_model import SourceModel, Wanted
from regard_export.checkpoints.weight_mapping import BOTH, Weights, renamed, under
from regard_export.descriptions.encoders import VisionDescription
from regard_export.families.hugging_face.captioners import (
    BUFFERS,
    VisionReference,
    caption_target,
    captioner,
    read_files,
)
from regard_export.families.hugging_face.net_loading import banned_ids, load_net
from regard_export.families.hugging_face.text_decoders import text_decoder
from regard_export.families.hugging_face.vision_encoders import vision_config
from regard_export.references.reference import Forced, Generated, Source, cross_attention_memory, forced, generate

FAMILY = "blip"
KINDS = ("query", "key", "value")
LAYER = {
    "self_attention.output": "self_attn.projection",
    "self_attention_sublayer.norm": "layer_norm1",
    "feed_forward.inner": "mlp.fc1",
    "feed_forward.outer": "mlp.fc2",
    "feed_forward_sublayer.norm": "layer_norm2",
}


def load(folder: Path, wanted: Wanted) -> SourceModel:
    """Reads a checkpoint's folder."""
    files = read_files(folder, wanted)
    net = load_net(BlipForConditionalGeneration, folder, unread=re.compile(BUFFERS), trust_pickle=wanted.trust_pickle)
    weights = {name: x.numpy() for name, x in net.state_dict().items()}
    encoder = _encoder(net.config.vision_config, under(weights, "vision_model."))
    words = net.config.text_config
    decoder = text_decoder(
        words,
        under(weights, "text_decoder."),
        memory_width=encoder.config.width,
        bridge={},
        banned_ids=banned_ids(files.settings),
    )
    # The model's own `generate` takes these, whatever the rest of the checkpoint says.
    ids = {"start": words.bos_token_id, "end": words.sep_token_id, "pad": words.pad_token_id}
    target = caption_target(files.tokenizer, ids, vocab_size=words.vocab_size)
    return captioner(FAMILY, files, encoder, decoder, target, BlipReference(net, decoder, target, files))


class BlipReference(VisionReference):
    """BlipForConditionalGeneration, whose decoder generates by itself, from the start token on."""

    @torch.inference_mode()
    def memory(self, source: Source) -> dict[str, Float32Array]:
        return cross_attention_memory(self._description, self._states(source)[0].numpy())

    @torch.inference_mode()
    def force(self, source: Source, target: Sequence[int]) -> Forced:
        decoder = self._net.text_decoder
        output = decoder(torch.tensor([target]), encoder_hidden_states=self._states(source), output_attentions=True)
        return forced(self.without_banned(output.logits[0]), torch.cat(output.cross_attentions))

    @torch.inference_mode()
    def generate(self, source: Source, generation: Generation) -> Generated:
        return generate(
            self._net.text_decoder,
            self.search_config(generation),
            input_ids=torch.tensor([[self._target.start_id]]),
            encoder_hidden_states=self._states(source),
        )

    def _states(self, source: Source) -> Tensor:
        """float [1, positions, width]."""
        states: Tensor = self._net.vision_model(**self.inputs(source)).last_hidden_state
        return states


def _encoder(config: Any, theirs: Weights) -> VisionEncoder:
    """A vision transformer that stores query, key and value as one projection."""
    vision = vision_config(config)
    names = {"patches": "embeddings.patch_embedding", "encoder_norm": "post_layernorm"}
    ours = {
        "class_tokens": theirs["embeddings.class_embedding"][0],
        "positions": theirs["embeddings.position_embedding"][0],
        **renamed(theirs, names, BOTH),
    }
    for layer in range(vision.num_layers):
        our_prefix, their_prefix = f"encoder.{layer}.", f"encoder.layers.{layer}."
        ours |= renamed(theirs, LAYER, BOTH, our_prefix, their_prefix)
        for part in BOTH:
            parts = np.split(theirs[f"{their_prefix}self_attn.qkv.{part}"], len(KINDS))
            ours |= {f"{our_prefix}self_attention.{kind}.{part}": x for kind, x in zip(KINDS, parts, strict=True)}
    return VisionEncoder(VisionDescription(vision.layers, ours, vision=vision))
