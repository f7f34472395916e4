"""BLIP captioners (Li et al. 2022): a vision transformer, and a BERT that attends to it."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import BlipForConditionalGeneration

from regard.arrays import Float32Array
from regard_export.architectures.vision_transformer import VisionEncoder
from regard_export.checkpoints.files import read_json
from regard_export.checkpoints.source_model import LoadOptions, SourceModel
from regard_export.checkpoints.weight_names import WEIGHT_AND_BIAS, renamed, weights_under
from regard_export.descriptions.encoders import VisionDescription
from regard_export.descriptions.layers import Weights
from regard_export.families.hugging_face.captioners import (
    BUFFER_NAMES,
    CaptionerReference,
    caption_target,
    captioner_model,
    read_captioner_settings,
)
from regard_export.families.hugging_face.generation_settings import legacy_settings
from regard_export.families.hugging_face.net_loading import load_net
from regard_export.families.hugging_face.text_decoders import text_decoder
from regard_export.families.hugging_face.vision_encoders import vision_config
from regard_export.references.protocols import Generated, Source, TeacherForced
from regard_export.references.transformer import cross_attention_memory
from regard_export.references.transformers_search import generate
from regard_service.generation import Generation

FAMILY = "blip"
PROJECTIONS = ("query", "key", "value")
LAYER = {
    "self_attention.output": "self_attn.projection",
    "self_attention_sublayer.norm": "layer_norm1",
    "feed_forward.inner": "mlp.fc1",
    "feed_forward.outer": "mlp.fc2",
    "feed_forward_sublayer.norm": "layer_norm2",
}


def load(folder: Path, load_options: LoadOptions) -> SourceModel:
    """Reads a checkpoint's folder."""
    config = read_json(folder / "config.json")
    # The text decoder generates, with the settings of its own config; nothing reads those of the whole model.
    generation = {**config, **legacy_settings(config.get("text_config") or {})}
    settings, ignored = read_captioner_settings(folder, load_options, generation), re.compile(BUFFER_NAMES)
    is_pickle_trusted = load_options.is_pickle_trusted
    net = load_net(BlipForConditionalGeneration, folder, ignored=ignored, is_pickle_trusted=is_pickle_trusted)
    weights = {name: x.numpy() for name, x in net.state_dict().items()}
    encoder = _encoder(net.config.vision_config, weights_under(weights, "vision_model."))
    text_config = net.config.text_config
    decoder = text_decoder(
        text_config,
        weights_under(weights, "text_decoder."),
        memory_width=encoder.config.width,
        bridge={},
        settings=settings.generation,
    )
    # The model's own `generate` uses these ids, whatever the rest of the checkpoint says.
    ids = {"start": text_config.bos_token_id, "end": text_config.sep_token_id, "pad": text_config.pad_token_id}
    target = caption_target(settings.tokenizer, ids, settings.generation, vocab_size=text_config.vocab_size)
    reference = BlipReference(net, decoder, target, settings)
    return captioner_model(FAMILY, settings, encoder, decoder, target, reference)


class BlipReference(CaptionerReference):
    """BlipForConditionalGeneration, whose text decoder generates from the start token on."""

    @torch.inference_mode()
    def memory(self, source: Source) -> dict[str, Float32Array]:
        """See `Reference`."""
        return cross_attention_memory(self._description, self._states(source)[0].numpy())

    @torch.inference_mode()
    def teacher_force(self, source: Source, target: Sequence[int]) -> TeacherForced:
        """See `Reference`."""
        decoder = self._net.text_decoder
        output = decoder(torch.tensor([target]), encoder_hidden_states=self._states(source), output_attentions=True)
        return self.forced(output)

    @torch.inference_mode()
    def generate(self, source: Source, generation: Generation) -> Generated:
        """See `Reference`."""
        return generate(
            self._net.text_decoder,
            self.search_config(generation),
            {
                "input_ids": torch.tensor([[self._target.start_id]]),
                "encoder_hidden_states": self._states(source),
            },
        )

    def _states(self, source: Source) -> Tensor:
        """float [1, positions, width]."""
        states: Tensor = self._net.vision_model(**self.inputs(source)).last_hidden_state
        return states


def _encoder(config: Any, theirs: Weights) -> VisionEncoder:
    """Maps a vision transformer that stores query, key and value as one projection."""
    vision = vision_config(config)
    names = {"patches": "embeddings.patch_embedding", "encoder_norm": "post_layernorm"}
    ours = {
        "class_tokens": theirs["embeddings.class_embedding"][0],
        "positions": theirs["embeddings.position_embedding"][0],
        **renamed(theirs, names, WEIGHT_AND_BIAS),
    }
    for layer in range(vision.num_layers):
        our_prefix, their_prefix = f"encoder.{layer}.", f"encoder.layers.{layer}."
        ours |= renamed(theirs, LAYER, WEIGHT_AND_BIAS, our_prefix, their_prefix)
        for part in WEIGHT_AND_BIAS:
            parts = np.split(theirs[f"{their_prefix}self_attn.qkv.{part}"], len(PROJECTIONS))
            ours |= {f"{our_prefix}self_attention.{kind}.{part}": x for kind, x in zip(PROJECTIONS, parts, strict=True)}
    return VisionEncoder(VisionDescription(vision.layers, ours, vision=vision))
