"""Models of `transformers` that find objects: DETR, Conditional DETR, Table Transformer, YOLOS.

Their image processors keep a picture's proportions, so that each picture has a size of its own. A bundle reads all
pictures at one size, into which they are squashed: boxes are parts of the picture's sides, so that they fit it anyway.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from regard.arrays import Float32Array
from regard_export.architectures.architecture import EncodingArchitecture
from regard_export.architectures.detection_transformer import DetectionTransformerArchitecture
from regard_export.checkpoints.encoder_model import EncoderModel
from regard_export.checkpoints.files import read_json
from regard_export.checkpoints.source_model import LoadOptions
from regard_export.errors import ExportError
from regard_export.families.hugging_face import detection_tokens, detection_transformers
from regard_export.families.hugging_face.image_preprocessing import (
    PREPROCESSOR_FILE,
    GriddedEncoder,
    load_processor,
    source_of_settings,
)
from regard_export.families.hugging_face.net_loading import load_net
from regard_export.references.protocols import Source
from regard_service.bundle import BOX_LOGITS, BOXES, BoxesOutput, Provenance

IGNORED = re.compile(r".*\.num_batches_tracked")
# Of image processors, without effect on pictures of one size.
IRRELEVANT = ("do_pad", "do_convert_annotations", "pad_size")


@dataclass(frozen=True)
class Built:
    """An architecture for pictures of one size.

    Attributes:
        encoder: where its positions lie on the picture.
        queries: how many there are.
    """

    architecture: EncodingArchitecture
    encoder: GriddedEncoder
    queries: int


@dataclass(frozen=True)
class Family:
    """Models of one `model_type`.

    Attributes:
        net: the class in `transformers`.
        is_exclusive: whether a query finds one object at most.
        check: raises ExportError for configs that are not supported; before the weights are read.
        build: makes the architecture of a net, for a height and a width.
    """

    net: Any
    is_exclusive: bool
    check: Callable[[Any], None]
    build: Callable[[Any, int, int], Built]


@dataclass(frozen=True)
class _FeatureMap:
    image_height: int
    image_width: int
    grid: tuple[int, int]

    @property
    def num_positions(self) -> int:
        return self.grid[0] * self.grid[1]


def _build_transformer(net: Any, height: int, width: int) -> Built:
    description = detection_transformers.describe(net, height, width)
    encoder = _FeatureMap(height, width, description.grid)
    return Built(DetectionTransformerArchitecture(description), encoder, len(description.queries))


def _build_tokens(net: Any, height: int, width: int) -> Built:
    architecture = detection_tokens.architecture_of(net, height, width)
    vision = architecture.encoder.description.vision
    return Built(architecture, vision, architecture.head.number)


_check = detection_transformers.refuse_other_backbones

FAMILIES: Mapping[str, Family] = {
    "detr": Family(transformers.DetrForObjectDetection, True, _check, _build_transformer),
    "conditional_detr": Family(transformers.ConditionalDetrForObjectDetection, False, _check, _build_transformer),
    "table-transformer": Family(transformers.TableTransformerForObjectDetection, True, _check, _build_transformer),
    "yolos": Family(transformers.YolosForObjectDetection, True, lambda config: None, _build_tokens),
}


def load(folder: Path, load_options: LoadOptions) -> EncoderModel:
    """Reads a checkpoint's folder.

    Raises:
        ExportError: the model has unsupported options or other preprocessing than the server's, or does not do the
            chosen task.
    """
    settings = read_json(folder / "config.json")
    family = FAMILIES[str(settings["model_type"])]
    if load_options.task not in (None, "detection"):
        raise ExportError(f"this checkpoint does detection, not {load_options.task}")
    if family.net.__name__ not in (settings.get("architectures") or [family.net.__name__]):
        raise ExportError(f"the architecture {settings['architectures'][0]} is not supported; {family.net.__name__} is")
    config = family.net.config_class.from_pretrained(folder, local_files_only=True)
    family.check(config)
    preprocessing = load_processor(folder).to_dict()
    net = load_net(family.net, folder, ignored=IGNORED, is_pickle_trusted=load_options.is_pickle_trusted)
    height, width = _picture_size(preprocessing, config)
    built = family.build(net, height, width)
    source = source_of_settings(_of_one_size(preprocessing, height, width), built.encoder)
    labels = tuple(str(config.id2label[label]) for label in range(config.num_labels))
    return EncoderModel(
        family=str(settings["model_type"]),
        task="detection",
        architecture=built.architecture,
        reference=DetectorOriginal(net),
        source=source,
        output=BoxesOutput(labels=labels, is_exclusive=family.is_exclusive, queries=built.queries),
        tokenizers={},
        max_source_tokens=source.num_positions,
        provenance=Provenance(source=str(settings.get("_name_or_path") or folder.name)),
    )


def _picture_size(preprocessing: Mapping[str, Any], config: Any) -> tuple[int, int]:
    """Height and width of the bundle's pictures: the size of the net's learned positions; without one, the size in the
    image processor; without one, a square of the processor's shortest edge.
    """
    if getattr(config, "image_size", None) is not None:
        return detection_tokens.picture_size(config)
    size = preprocessing.get("size") or {}
    if {"height", "width"} <= size.keys():
        return size["height"], size["width"]
    edge = size.get("shortest_edge") or size.get("longest_edge")
    if not edge:
        raise ExportError(f"{PREPROCESSOR_FILE} states no size of pictures: size {size}")
    return edge, edge


def _of_one_size(preprocessing: Mapping[str, Any], height: int, width: int) -> dict[str, Any]:
    """The image processor's settings for pictures of one size."""
    kept = {name: value for name, value in preprocessing.items() if name not in IRRELEVANT}
    return {**kept, "size": {"height": height, "width": width}}


class DetectorOriginal:
    """A net of `transformers`, see `QueryReference`.

    Args:
        net: with "eager" attention, the only one that returns its weights.
    """

    def __init__(self, net: Any) -> None:
        self.name = f"{type(net).__name__}, transformers {transformers.__version__}, PyTorch {torch.__version__}"
        self._net = net
        self._num_tokens = getattr(net.config, "num_detection_tokens", 0)  # of YOLOS

    @torch.inference_mode()
    def outputs(self, source: Source) -> dict[str, Float32Array]:
        """See `EncoderReference`."""
        found = self._net(pixel_values=_pixels(source))
        return {BOX_LOGITS: found.logits[0].numpy(), BOXES: found.pred_boxes[0].numpy()}

    @torch.inference_mode()
    def attention(self, source: Source) -> Float32Array | None:
        """See `EncoderReference`."""
        traced = self._traced(source)
        if self._num_tokens:
            return self._in_our_order(torch.cat(traced.attentions)).numpy()
        weights: Float32Array = torch.cat(traced.encoder_attentions).numpy()
        return weights

    @torch.inference_mode()
    def cross_attention(self, source: Source) -> Float32Array | None:
        """See `QueryReference`."""
        traced = self._traced(source)
        if self._num_tokens:
            return self._in_our_order(torch.cat(traced.attentions))[:, :, 1 : 1 + self._num_tokens].numpy()
        weights: Float32Array = torch.cat(traced.cross_attentions).numpy()
        return weights

    def _in_our_order(self, weights: torch.Tensor) -> torch.Tensor:
        """[layers, heads, n, n], with the detection tokens, which are last, behind the class token."""
        last = weights.shape[-1]
        order = [0, *range(last - self._num_tokens, last), *range(1, last - self._num_tokens)]
        return weights[:, :, order][:, :, :, order]

    def _traced(self, source: Source) -> Any:
        return self._net(pixel_values=_pixels(source), output_attentions=True)


def _pixels(source: Source) -> torch.Tensor:
    return torch.from_numpy(np.asarray(source, np.float32))[None]
