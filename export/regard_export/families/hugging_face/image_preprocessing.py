"""How a checkpoint of `transformers` preprocesses pictures: its preprocessor_config.json, mapped to the manifest."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import transformers
from transformers import AutoImageProcessor

from regard_export.errors import ExportError
from regard_service.bundle import ImageSource

PREPROCESSOR_FILE = "preprocessor_config.json"
PROCESSOR_FILES = (PREPROCESSOR_FILE, "processor_config.json")  # processors of `transformers` 5 write the second alone
RESAMPLING_FILTERS = {1: "lanczos", 2: "bilinear", 3: "bicubic"}  # by Pillow's numbers
# Without effect: pictures become RGB anyway, and the second concerns labels.
IGNORED_OPTIONS = {"do_convert_rgb", "do_reduce_labels"}
FITTING_OPTIONS = {"do_resize", "do_thumbnail", "do_pad"}  # of Donut, which fits a page into the picture
SUPPORTED_OPTIONS = {"do_resize", "do_center_crop", "do_rescale", "do_normalize"}


def load_processor(folder: Path) -> Any:
    """Opens the checkpoint's image processor, which has defaults for missing options.

    Raises:
        ExportError: there is none, or it cannot be read.
    """
    if not any((folder / name).is_file() for name in PROCESSOR_FILES):
        raise ExportError(f"{folder} lacks {' or '.join(PROCESSOR_FILES)}")
    verbosity = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()  # it warns if a faster backend is not installed
    try:
        return AutoImageProcessor.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # a malformed file may raise any kind
        raise ExportError(f"the image processor in {folder} cannot be read: {error}") from error
    finally:
        transformers.logging.set_verbosity(verbosity)


class GriddedEncoder(Protocol):
    """What an encoder states of pictures and of its positions."""

    @property
    def image_height(self) -> int:
        """In pixels."""

    @property
    def image_width(self) -> int:
        """In pixels."""

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of positions."""

    @property
    def num_positions(self) -> int:
        """All positions; those of the grid are the last ones."""


def image_source(processor: Any, encoder: GriddedEncoder) -> ImageSource:
    """The preprocessing as the manifest states it, and where the encoder's positions lie on the picture.

    Raises:
        ExportError: names every option that the server does not offer.
    """
    return source_of_settings(processor.to_dict(), encoder)


def source_of_settings(settings: dict[str, Any], encoder: GriddedEncoder) -> ImageSource:
    """As `image_source`, of an image processor's settings."""
    size = encoder.image_height, encoder.image_width
    faults = list(_faults(settings))
    if faults:
        raise ExportError(f"{PREPROCESSOR_FILE} has unsupported options: {'; '.join(faults)}")
    resized_side, kept = _sizes(settings)
    if kept != size:
        raise ExportError(
            f"{PREPROCESSOR_FILE} makes pictures of {kept[0]} x {kept[1]} pixels; "
            f"the encoder takes {size[0]} x {size[1]}"
        )
    scale = 1 / settings.get("rescale_factor", 1 / 255) if settings.get("do_rescale", True) else 1.0
    is_normalized = settings.get("do_normalize", True)
    mean = np.array(settings["image_mean"] if is_normalized else 0.0) * scale
    std = np.array(settings["image_std"] if is_normalized else 1.0) * scale
    return ImageSource(
        height=size[0],
        width=size[1],
        mean=tuple(np.broadcast_to(mean, 3).tolist()),
        std=tuple(np.broadcast_to(std, 3).tolist()),
        resize=_resize(settings),
        crop_fraction=kept[0] / resized_side,
        resample=RESAMPLING_FILTERS[int(settings["resample"])],
        grid=encoder.grid,
        first_position=encoder.num_positions - encoder.grid[0] * encoder.grid[1],
    )


def _is_fitted(settings: Mapping[str, Any]) -> bool:
    """Whether a picture keeps its proportions, between borders."""
    return all(settings.get(name) for name in FITTING_OPTIONS)


def _resize(settings: Mapping[str, Any]) -> Literal["squash", "crop", "fit"]:
    if _is_fitted(settings):
        return "fit"
    return "crop" if "shortest_edge" in settings["size"] else "squash"


def _faults(settings: dict[str, Any]) -> list[str]:
    """Names every option that a manifest cannot state."""
    supported = SUPPORTED_OPTIONS | IGNORED_OPTIONS | (FITTING_OPTIONS if _is_fitted(settings) else set())
    faults = [
        f"{name}" for name, value in settings.items() if name.startswith("do_") and value and name not in supported
    ]
    if not settings.get("do_resize", True):
        faults.append("do_resize false")
    if int(settings.get("resample") or 0) not in RESAMPLING_FILTERS:
        faults.append(f"resample {settings.get('resample')}")
    if settings.get("do_normalize", True) and not np.all(settings.get("image_std")):
        faults.append(f"image_std {settings.get('image_std')}")
    size, crop = settings.get("size") or {}, settings.get("crop_size") or {}
    is_cropped = settings.get("do_center_crop", False)
    if "shortest_edge" in size and "longest_edge" not in size:
        if not is_cropped:
            faults.append("size shortest_edge without do_center_crop")
        elif crop.get("height") != crop.get("width"):
            faults.append("crop_size other than square after size shortest_edge")
    elif not {"height", "width"} <= size.keys():
        faults.append(f"size {size}")
    elif is_cropped and size["height"] * crop["width"] != size["width"] * crop["height"]:
        faults.append("crop_size of other proportions than size")
    elif is_cropped and crop["height"] > size["height"]:
        faults.append("crop_size larger than size")
    return faults


def _sizes(settings: dict[str, Any]) -> tuple[int, tuple[int, int]]:
    """The height (or shorter side) after resizing, and the height and width that cropping keeps."""
    size = settings["size"]
    kept = settings["crop_size"] if settings.get("do_center_crop") else size
    return size.get("shortest_edge") or size["height"], (kept["height"], kept["width"])
