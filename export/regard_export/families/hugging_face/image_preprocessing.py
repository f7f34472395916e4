"""How a checkpoint of `transformers` reads pictures: preprocessor_config.json as the manifest says it."""

from pathlib import Path
from typing import Any

import numpy as np
import transformers
from regard_models.nets.swin import SwinConfig
from regard_models.nets.vision_transformer import VisionTransformerConfig
from regard_service.bundle import ImageSource
from transformers import AutoImageProcessor

from regard_export.checkpoints.source_model import require_files
from regard_export.errors import ExportError

FILE = "preprocessor_config.json"
FILTERS = {1: "lanczos", 2: "bilinear", 3: "bicubic"}  # by Pillow's numbers
# What changes nothing: colours become RGB anyway, and the last is about labels.
HARMLESS = {"do_convert_rgb", "do_reduce_labels"}
KNOWN = {"do_resize", "do_center_crop", "do_rescale", "do_normalize"} | HARMLESS


def load_processor(folder: Path) -> Any:
    """Opens the checkpoint's own image processor, which fills in what the file leaves out.

    Raises:
        ExportError: there is none, or it cannot be read.
    """
    require_files(folder, FILE)
    verbosity = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # that a faster backend is not installed is of no interest
    try:
        return AutoImageProcessor.from_pretrained(folder, local_files_only=True)  # type: ignore[no-untyped-call]
    except Exception as error:  # whatever a file of another kind makes of it
        raise ExportError(f"{folder / FILE} cannot be read: {error}") from error
    finally:
        transformers.logging.set_verbosity(verbosity)


def image_source(processor: Any, encoder: VisionTransformerConfig | SwinConfig) -> ImageSource:
    """Says what an image processor does, and where the encoder's positions lie on the picture.

    Raises:
        ExportError: with every option that the server does not offer.
    """
    size = encoder.image_height, encoder.image_width
    settings = processor.to_dict()
    faults = list(_faults(settings))
    if faults:
        raise ExportError(f"{FILE} asks for what is not supported: {'; '.join(faults)}")
    made, kept = _sizes(settings)
    if kept != size:
        raise ExportError(
            f"{FILE} makes pictures of {kept[0]} x {kept[1]} pixels; the encoder takes {size[0]} x {size[1]}"
        )
    scale = 1 / settings.get("rescale_factor", 1 / 255) if settings.get("do_rescale", True) else 1.0
    normalized = settings.get("do_normalize", True)
    mean = np.array(settings["image_mean"] if normalized else 0.0) * scale
    std = np.array(settings["image_std"] if normalized else 1.0) * scale
    return ImageSource(
        height=size[0],
        width=size[1],
        mean=tuple(np.broadcast_to(mean, 3).tolist()),
        std=tuple(np.broadcast_to(std, 3).tolist()),
        resize="crop" if "shortest_edge" in settings["size"] else "squash",
        crop_fraction=kept[0] / made,
        resample=FILTERS[int(settings["resample"])],
        grid=encoder.grid,
        first_position=encoder.num_positions - encoder.grid[0] * encoder.grid[1],
    )


def _faults(settings: dict[str, Any]) -> list[str]:
    """Names every option that asks for what a manifest cannot say."""
    faults = [f"{name}" for name, value in settings.items() if name.startswith("do_") and value and name not in KNOWN]
    if not settings.get("do_resize", True):
        faults.append("do_resize false")
    if int(settings.get("resample") or 0) not in FILTERS:
        faults.append(f"resample {settings.get('resample')}")
    size, crop = settings.get("size") or {}, settings.get("crop_size") or {}
    cropped = settings.get("do_center_crop", False)
    if "shortest_edge" in size and "longest_edge" not in size:
        if not cropped:
            faults.append("size shortest_edge without do_center_crop")
        elif crop.get("height") != crop.get("width"):
            faults.append("crop_size other than square after size shortest_edge")
    elif not {"height", "width"} <= size.keys():
        faults.append(f"size {size}")
    elif cropped and size["height"] * crop["width"] != size["width"] * crop["height"]:
        faults.append("crop_size of other proportions than size")
    elif cropped and crop["height"] > size["height"]:
        faults.append("crop_size larger than size")
    return faults


def _sizes(settings: dict[str, Any]) -> tuple[int, tuple[int, int]]:
    """The height (or shorter side) that resizing makes, and the height and width that are kept of it."""
    size = settings["size"]
    kept = settings["crop_size"] if settings.get("do_center_crop") else size
    return size.get("shortest_edge") or size["height"], (kept["height"], kept["width"])
