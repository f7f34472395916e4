"""Models of `transformers` that label pictures: ViT, DeiT, BEiT and Swin with their heads."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from regard.arrays import Float32Array
from regard_export.architectures.encoder_only import EncoderOnlyArchitecture
from regard_export.architectures.output_heads import HeadLayer, LabelsHead
from regard_export.checkpoints.encoder_model import EncoderModel
from regard_export.checkpoints.files import read_json
from regard_export.checkpoints.source_model import LoadOptions
from regard_export.checkpoints.weight_names import weights_under
from regard_export.descriptions.layers import Linear, Norm, Weights
from regard_export.errors import ExportError
from regard_export.families.hugging_face.image_preprocessing import image_source, load_processor
from regard_export.families.hugging_face.labels import labels_output
from regard_export.families.hugging_face.net_loading import load_net
from regard_export.families.hugging_face.vision_encoders import vision_encoder
from regard_export.references.protocols import Source
from regard_service.bundle import LOGITS, Provenance

HEAD = "ForImageClassification"
# ViT's classifier has no pooler, but older checkpoints store one.
IGNORED = re.compile(r"vit\.pooler\..*|.*relative_position_index")


@dataclass(frozen=True)
class Family:
    """Models of one `model_type`.

    Attributes:
        net: the class in `transformers`.
        base: the name of the encoder within it.
        head: makes the head of a config and all weights.
    """

    net: Any
    base: str
    head: Callable[[Any, Weights], LabelsHead]


def _of_class_token(config: Any, weights: Weights) -> LabelsHead:
    return LabelsHead((HeadLayer(Linear.of(weights, "classifier")),))


def _of_beit(config: Any, weights: Weights) -> LabelsHead:
    """The class token, or the normalized mean of the patches."""
    layers = (HeadLayer(Linear.of(weights, "classifier")),)
    if not config.use_mean_pooling:
        return LabelsHead(layers)
    place = "beit.pooler.layernorm"
    norm = Norm(place, weights[f"{place}.weight"], weights[f"{place}.bias"], config.layer_norm_eps)
    return LabelsHead(layers, "mean", norm, num_skipped=1)


def _of_swin(config: Any, weights: Weights) -> LabelsHead:
    """The mean of all positions."""
    return LabelsHead((HeadLayer(Linear.of(weights, "classifier")),), "mean")


FAMILIES: Mapping[str, Family] = {
    "vit": Family(transformers.ViTForImageClassification, "vit", _of_class_token),
    "deit": Family(transformers.DeiTForImageClassification, "deit", _of_class_token),
    "beit": Family(transformers.BeitForImageClassification, "beit", _of_beit),
    "swin": Family(transformers.SwinForImageClassification, "swin", _of_swin),
}


def load(folder: Path, load_options: LoadOptions) -> EncoderModel:
    """Reads a checkpoint's folder.

    Raises:
        ExportError: the model is of an unknown kind, has unsupported options or other preprocessing than the server's,
            or does not do the chosen task.
    """
    settings = read_json(folder / "config.json")
    family = FAMILIES[str(settings["model_type"])]
    if load_options.task not in (None, "classification"):
        raise ExportError(f"this checkpoint does classification, not {load_options.task}")
    if family.net.__name__ not in (settings.get("architectures") or [family.net.__name__]):
        raise ExportError(f"the architecture {settings['architectures'][0]} is not supported; {family.net.__name__} is")
    processor = load_processor(folder)
    net = load_net(family.net, folder, ignored=IGNORED, is_pickle_trusted=load_options.is_pickle_trusted)
    weights = {name: x.numpy() for name, x in net.state_dict().items()}
    encoder = vision_encoder(net.config, weights_under(weights, f"{family.base}."))
    head = family.head(net.config, weights)
    source = image_source(processor, encoder.config)
    return EncoderModel(
        family=str(settings["model_type"]),
        task="classification",
        architecture=EncoderOnlyArchitecture(encoder, head),
        reference=PictureClassifierOriginal(net),
        source=source,
        output=labels_output(net.config, pooling="mean" if head.pooling == "mean" else "class"),
        tokenizers={},
        max_source_tokens=source.num_positions,
        provenance=Provenance(source=str(settings.get("_name_or_path") or folder.name)),
    )


class PictureClassifierOriginal:
    """A net of `transformers`, see `EncoderReference`.

    Args:
        net: with "eager" attention, the only one that returns its weights.
    """

    def __init__(self, net: Any) -> None:
        self.name = f"{type(net).__name__}, transformers {transformers.__version__}, PyTorch {torch.__version__}"
        self._net = net

    @torch.inference_mode()
    def outputs(self, source: Source) -> dict[str, Float32Array]:
        """See `EncoderReference`."""
        return {LOGITS: self._net(pixel_values=_pixels(source)).logits[0].numpy()}

    @torch.inference_mode()
    def attention(self, source: Source) -> Float32Array | None:
        """See `EncoderReference`; a Swin's weights are those of windows."""
        if self._net.config.model_type == "swin":
            return None
        weights: Float32Array = torch.cat(
            self._net(pixel_values=_pixels(source), output_attentions=True).attentions
        ).numpy()
        return weights


def _pixels(source: Source) -> torch.Tensor:
    return torch.from_numpy(np.asarray(source, np.float32))[None]
