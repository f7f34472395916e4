"""ViLT of `transformers` (Kim et al. 2021), which answers questions about pictures.

The server squashes each picture to the square of the positions that the model was trained for. ViLT's own processor
keeps the proportions of pictures, and the model then interpolates its positions; of square pictures both do the same.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from regard.arrays import Array, Float32Array
from regard_export.architectures.encoder_only import EncoderOnlyArchitecture
from regard_export.architectures.joint_encoder import JointEncoder
from regard_export.architectures.output_heads import HeadLayer, LabelsHead
from regard_export.checkpoints.encoder_model import EncoderModel
from regard_export.checkpoints.files import read_json
from regard_export.checkpoints.source_model import LoadOptions
from regard_export.checkpoints.weight_names import WEIGHT_AND_BIAS, renamed
from regard_export.descriptions.encoders import BertDescription, VisionDescription
from regard_export.descriptions.layers import Linear, Norm, Weights
from regard_export.errors import ExportError
from regard_export.families.hugging_face.added_tokens import typed_ids
from regard_export.families.hugging_face.fast_tokenizers import bundled_tokenizer, open_tokenizer
from regard_export.families.hugging_face.image_preprocessing import (
    PREPROCESSOR_FILE,
    RESAMPLING_FILTERS,
    load_processor,
)
from regard_export.families.hugging_face.labels import labels_output
from regard_export.families.hugging_face.net_loading import load_net
from regard_export.families.hugging_face.text_encoders import TOKENIZER, text_source
from regard_export.families.hugging_face.vision_encoders import vision_config
from regard_export.references.protocols import Source, as_array
from regard_models.nets.bert import BertConfig
from regard_service.bundle import LOGITS, ImageSource, Provenance, QuestionSource
from regard_service.engine.runtime.questions import ids_of, pixels_of

FAMILY = "vilt"
ARCHITECTURE = "ViltForQuestionAnswering"
IGNORED = re.compile(r".*\.position_ids|.*\.token_type_ids")
CLASSIFIER_EPSILON = 1e-5  # PyTorch's default

LAYER = {
    **{f"self_attention.{kind}": f"attention.attention.{kind}" for kind in ("query", "key", "value")},
    "self_attention.output": "attention.output.dense",
    "self_attention_sublayer.norm": "layernorm_before",
    "feed_forward_sublayer.norm": "layernorm_after",
    "feed_forward.inner": "intermediate.dense",
    "feed_forward.outer": "output.dense",
}


def load(folder: Path, load_options: LoadOptions) -> EncoderModel:
    """Reads a checkpoint's folder.

    Raises:
        ExportError: the checkpoint is for another task than questions, or has unsupported options.
    """
    settings = read_json(folder / "config.json")
    if load_options.task not in (None, "answering"):
        raise ExportError(f"this checkpoint does answering, not {load_options.task}")
    if ARCHITECTURE not in (settings.get("architectures") or [ARCHITECTURE]):
        raise ExportError(f"the architecture {settings['architectures'][0]} is not supported; {ARCHITECTURE} is")
    tokenizer = open_tokenizer(folder)
    if not tokenizer.is_fast:
        raise ExportError(f"{folder}: {type(tokenizer).__name__} is a tokenizer that is not supported")
    net_class = transformers.ViltForQuestionAnswering
    net = load_net(net_class, folder, ignored=IGNORED, is_pickle_trusted=load_options.is_pickle_trusted)
    weights = {name: x.numpy() for name, x in net.state_dict().items()}
    encoder = JointEncoder(_text(net.config, weights), _vision(net.config, weights))
    output = labels_output(net.config)
    limit = min(net.config.max_position_embeddings, int(tokenizer.model_max_length))
    return EncoderModel(
        family=FAMILY,
        task="answering",
        architecture=EncoderOnlyArchitecture(encoder, _head(weights)),
        reference=ViltOriginal(net, tokenizer),
        source=QuestionSource(picture=_picture(load_processor(folder), encoder), question=text_source(tokenizer)),
        # The labels are answers of annotators, who may disagree: each is right or wrong by itself.
        output=output.model_copy(update={"is_exclusive": False}),
        tokenizers={TOKENIZER: bundled_tokenizer(tokenizer)},
        max_source_tokens=limit,
        provenance=Provenance(source=str(settings.get("_name_or_path") or folder.name)),
    )


def _text(config: Any, weights: Weights) -> BertDescription:
    """The embeddings of words; the kind of input, 0, is in the bias of their normalization."""
    place = "vilt.embeddings.text_embeddings"
    ours = {
        "embedding.weight": weights[f"{place}.word_embeddings.weight"],
        "encoder_positions.weight": weights[f"{place}.position_embeddings.weight"],
        "segments.weight": weights[f"{place}.token_type_embeddings.weight"],
        "encoder_embedding_norm.weight": weights[f"{place}.LayerNorm.weight"],
        "encoder_embedding_norm.bias": weights[f"{place}.LayerNorm.bias"] + _kind(weights, 0),
    }
    bert = BertConfig(
        vocab_size=config.vocab_size,
        width=config.hidden_size,
        num_heads=config.num_attention_heads,
        num_layers=0,
        feed_forward_width=config.intermediate_size,
        max_positions=config.max_position_embeddings,
        num_segments=config.type_vocab_size,
        norm_epsilon=config.layer_norm_eps,
    )
    return BertDescription(bert.layers, ours, bert=bert)


def _vision(config: Any, weights: Weights) -> VisionDescription:
    """The embeddings of patches, and all layers; the kind of input, 1, is in the positions."""
    vision, kind = vision_config(config), _kind(weights, 1)
    names = {"patches": "vilt.embeddings.patch_embeddings.projection", "encoder_norm": "vilt.layernorm"}
    ours = renamed(weights, names, WEIGHT_AND_BIAS)
    ours["class_tokens"] = weights["vilt.embeddings.cls_token"][0]
    ours["positions"] = weights["vilt.embeddings.position_embeddings"][0] + kind
    for layer in range(vision.num_layers):
        ours |= renamed(weights, LAYER, WEIGHT_AND_BIAS, f"encoder.{layer}.", f"vilt.encoder.layer.{layer}.")
    return VisionDescription(vision.layers, ours, vision=vision)


def _kind(weights: Weights, number: int) -> Float32Array:
    kind: Float32Array = weights["vilt.embeddings.token_type_embeddings.weight"][number]
    return kind


def _head(weights: Weights) -> LabelsHead:
    norm = Norm("classifier.1", weights["classifier.1.weight"], weights["classifier.1.bias"], CLASSIFIER_EPSILON)
    return LabelsHead(
        (
            HeadLayer(Linear.of(weights, "vilt.pooler.dense"), "Tanh"),
            HeadLayer(Linear.of(weights, "classifier.0"), "Gelu", norm),
            HeadLayer(Linear.of(weights, "classifier.3")),
        )
    )


def _picture(processor: Any, encoder: JointEncoder) -> ImageSource:
    """The preprocessing, with pictures squashed to the square that the positions cover.

    Raises:
        ExportError: the processor has options that the server does not offer.
    """
    settings, vision = processor.to_dict(), encoder.vision.vision
    faults = [f"{name} false" for name in ("do_resize", "do_rescale", "do_normalize") if not settings.get(name, True)]
    if int(settings.get("resample") or 0) not in RESAMPLING_FILTERS:
        faults.append(f"resample {settings.get('resample')}")
    if faults:
        raise ExportError(f"{PREPROCESSOR_FILE} has unsupported options: {'; '.join(faults)}")
    scale = 1 / settings["rescale_factor"]
    mean, std = (np.broadcast_to(np.array(settings[f"image_{name}"]) * scale, 3).tolist() for name in ("mean", "std"))
    return ImageSource(
        height=vision.image_height,
        width=vision.image_width,
        mean=tuple(mean),
        std=tuple(std),
        resize="squash",
        resample=RESAMPLING_FILTERS[int(settings["resample"])],
        grid=vision.grid,
        first_position=vision.class_tokens,
    )


class ViltOriginal:
    """The net of `transformers` with its tokenizer, see `TextEncoderReference`.

    Args:
        net: with "eager" attention, the only one that returns its weights.
    """

    def __init__(self, net: Any, tokenizer: Any) -> None:
        self.name = f"{type(net).__name__}, transformers {transformers.__version__}, PyTorch {torch.__version__}"
        self._net, self._tokenizer = net, tokenizer
        self.special_ids = frozenset(tokenizer.all_special_ids)

    def tokenize(self, text: str) -> list[int]:
        """See `TextEncoderReference`."""
        return typed_ids(self._tokenizer, text)

    @torch.inference_mode()
    def outputs(self, source: Source) -> dict[str, Float32Array]:
        """See `EncoderReference`."""
        return {LOGITS: self._net(**_inputs(as_array(source))).logits[0].numpy()}

    @torch.inference_mode()
    def attention(self, source: Source) -> Float32Array:
        """See `EncoderReference`. The net reads patches in an order that it draws, which is undone here."""
        record = as_array(source)
        num_words = len(ids_of(record))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            attentions = self._net(**_inputs(record), output_attentions=True).attentions
            num_patches = attentions[0].shape[-1] - num_words - 1
            torch.manual_seed(0)
            drawn = torch.multinomial(torch.ones(num_patches), num_patches)
        order = torch.cat([torch.arange(num_words + 1), num_words + 1 + drawn.argsort()])
        weights: Float32Array = torch.cat(attentions)[:, :, order][:, :, :, order].numpy()
        return weights


def _inputs(record: Array) -> dict[str, torch.Tensor]:
    return {
        "input_ids": torch.from_numpy(np.array(ids_of(record)))[None],
        "pixel_values": torch.from_numpy(np.array(pixels_of(record)))[None],
    }
