"""The shared parts of captioners of `transformers`: preprocessing, tokenizer, settings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from regard.arrays import Float32Array
from regard_export.architectures.encoder_decoder import EncoderDecoderArchitecture
from regard_export.checkpoints.source_model import LoadOptions, SourceModel
from regard_export.descriptions.transformer import DecoderDescription
from regard_export.errors import ExportError
from regard_export.families.hugging_face.fast_tokenizers import bundled_tokenizer, open_tokenizer
from regard_export.families.hugging_face.generation_settings import (
    forced_first_ids,
    generation_defaults,
    read_settings,
    refuse_unsupported,
)
from regard_export.families.hugging_face.image_preprocessing import image_source, load_processor
from regard_export.families.hugging_face.japanese_tokenizers import (
    is_japanese,
    japanese_writer,
    open_japanese_tokenizer,
)
from regard_export.families.hugging_face.reference import HuggingFaceReference
from regard_export.families.hugging_face.vision_encoders import PictureEncoder
from regard_export.references.protocols import Source
from regard_service.bundle import Provenance, Target

TOKENIZER_FILE = "tokenizer.json"
# Stored as weights in older checkpoints, and computed by newer code.
BUFFER_NAMES = r".*\.(position_ids|relative_position_index|_float_tensor)"
MAX_CAPTION_TOKENS = 256  # decoders may have many more positions, which would only cost memory


class CaptionerReference(HuggingFaceReference):
    """A captioner with its own image processor and tokenizer."""

    def __init__(
        self, net: Any, description: DecoderDescription, target: Target, settings: "CaptionerSettings"
    ) -> None:
        super().__init__(net, description, target)
        self._processor = settings.processor
        self._tokenizer = settings.tokenizer
        self._silent_ids = target.silent_ids

    def inputs(self, source: Source) -> dict[str, Tensor]:
        """Arguments of the encoder's forward for one picture."""
        return {"pixel_values": torch.from_numpy(np.asarray(source, np.float32))[None]}

    def pixels(self, file: bytes) -> Float32Array:
        """See `PictureReference`."""
        with Image.open(BytesIO(file)) as image:
            pixels: Float32Array = self._processor(image.convert("RGB"), return_tensors="np")["pixel_values"][0]
        return pixels

    def target_ids(self, text: str) -> list[int]:
        """See `PictureReference`."""
        return list(self._tokenizer(text, add_special_tokens=False).input_ids)

    def detokenize(self, ids: Sequence[int]) -> str:
        """See `PictureReference`."""
        return str(self._tokenizer.decode([i for i in ids if i not in self._silent_ids]))


@dataclass(frozen=True)
class CaptionerSettings:
    """A captioner's checkpoint without its weights.

    Attributes:
        generation: config.json, overridden by generation_config.json.
        processor: the image processor.
    """

    folder: Path
    generation: Mapping[str, Any]
    processor: Any
    tokenizer: Any


def read_captioner_settings(
    folder: Path, load_options: LoadOptions, generation: Mapping[str, Any] | None = None
) -> CaptionerSettings:
    """Reads settings, image processor and tokenizer.

    Args:
        generation: settings that replace those that `read_settings` finds.

    Raises:
        ExportError: one of them cannot be read, or has unsupported options.
    """
    if load_options.languages:
        raise ExportError("captioners write one language; omit --languages")
    settings = read_settings(folder) if generation is None else generation
    refuse_unsupported(settings)
    tokenizer = open_japanese_tokenizer(folder) if is_japanese(folder) else open_tokenizer(folder)
    if not (tokenizer.is_fast or is_japanese(folder)):
        raise ExportError(f"{folder}: {type(tokenizer).__name__} is no tokenizer of the `tokenizers` library")
    return CaptionerSettings(folder, settings, load_processor(folder), tokenizer)


def captioner_model(
    family: str,
    settings: CaptionerSettings,
    encoder: PictureEncoder,
    decoder: DecoderDescription,
    target: Target,
    reference: CaptionerReference,
    *,
    max_target_tokens: int = MAX_CAPTION_TOKENS,
    prefixes: Mapping[str, str] = MappingProxyType({}),
) -> SourceModel:
    """Combines a captioner's net with its settings.

    Args:
        max_target_tokens: a limit in addition to the decoder's positions.
        prefixes: the caller's, which chose the start token.
    """
    source = image_source(settings.processor, encoder.config).model_copy(update={"prefix_texts": dict(prefixes)})
    limit = min(decoder.config.max_positions, max_target_tokens)
    return SourceModel(
        family=family,
        task="captioning",
        architecture=EncoderDecoderArchitecture(encoder, decoder),
        reference=reference,
        source=source,
        target=target,
        tokenizers={
            TOKENIZER_FILE: (bundled_tokenizer if settings.tokenizer.is_fast else japanese_writer)(settings.tokenizer)
        },
        max_source_tokens=source.num_positions,
        max_target_tokens=limit,
        generation=generation_defaults(settings.generation, limit),
        provenance=Provenance(source=str(settings.generation.get("_name_or_path") or settings.folder.name)),
    )


def caption_target(
    tokenizer: Any,
    ids: Mapping[str, Any],
    settings: Mapping[str, Any],
    *,
    vocab_size: int,
    special_ids: Iterable[int] | None = None,
) -> Target:
    """The decoder's output.

    Args:
        ids: the tokens "start", "end" (one or a list) and "pad".
        settings: of generation.
        special_ids: those that are never text; None means all that the tokenizer marks as special.

    Raises:
        ExportError: names every token that is None.
    """
    missing = [name for name, token in ids.items() if token is None]
    if missing:
        raise ExportError(f"config.json names no {' and no '.join(missing)} token")
    ends = ids["end"] if isinstance(ids["end"], list) else [ids["end"]]
    marked = tokenizer.all_special_ids if special_ids is None else special_ids
    without_piece = {*range(vocab_size)}.difference(tokenizer.get_vocab().values())
    special = {ids["start"], ids["pad"], *ends, *marked, *without_piece}
    return Target(
        tokenizer=TOKENIZER_FILE,
        vocab_size=vocab_size,
        start_id=ids["start"],
        pad_id=ids["pad"],
        end_ids=tuple(ends),
        forced_first_ids=forced_first_ids(settings),
        special_ids=tuple(sorted(special)),
    )
