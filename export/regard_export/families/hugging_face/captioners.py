"""What captioners of `transformers` share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from regard_service.bundle import Provenance, Target
from torch import Tensor

from regard.arrays import Float32Array
from regard_export.architectures.encoder_decoder import EncoderDecoderArchitecture
from regard_export.checkpoints.source_model import SourceModel, Wanted
from regard_export.descriptions.transformer import DecoderDescription
from regard_export.errors import ExportError
from regard_export.families.hugging_face.fast_tokenizers import open_tokenizer, shipped
from regard_export.families.hugging_face.image_preprocessing import image_source, load_processor
from regard_export.families.hugging_face.net_loading import (
    HuggingFaceReference,
    generation_defaults,
    read_json,
    refuse_unsupported,
)
from regard_export.families.hugging_face.vision_encoders import PictureEncoder
from regard_export.references.reference import Source

TOKENIZER = "tokenizer.json"
# What older files carry as weights, and newer code computes.
BUFFERS = r".*\.(position_ids|relative_position_index|_float_tensor)"
MAX_TOKENS = 256  # longest caption; decoders of other origins know many more positions, which would cost memory


class VisionReference(HuggingFaceReference):
    """A model of pictures, with its own image processor and tokenizer."""

    def __init__(self, net: Any, description: DecoderDescription, target: Target, files: "CaptionerFiles") -> None:
        super().__init__(net, description, target)
        self._processor = files.processor
        self._tokenizer = files.tokenizer
        self._special_ids = set(target.special_ids)

    def inputs(self, source: Source) -> dict[str, Tensor]:
        return {"pixel_values": torch.from_numpy(np.asarray(source, np.float32))[None]}

    def pixels(self, file: bytes) -> Float32Array:
        """What the encoder takes of a picture: float32 [3, height, width]."""
        with Image.open(BytesIO(file)) as image:
            found: Float32Array = self._processor(image.convert("RGB"), return_tensors="np")["pixel_values"][0]
        return found

    def target_ids(self, text: str) -> list[int]:
        """The decoder's ids of a text, without special ones."""
        return list(self._tokenizer(text, add_special_tokens=False).input_ids)

    def detokenize(self, ids: Sequence[int]) -> str:
        """The text of the decoder's ids, special ones left out."""
        return str(self._tokenizer.decode([i for i in ids if i not in self._special_ids]))


@dataclass(frozen=True)
class CaptionerFiles:
    """What a checkpoint's folder says beside the weights."""

    folder: Path
    settings: Mapping[str, Any]
    processor: Any
    tokenizer: Any


def read_files(folder: Path, wanted: Wanted) -> CaptionerFiles:
    """Reads settings, image processor and tokenizer.

    Raises:
        ExportError: one of them cannot be read, or asks for what is not supported.
    """
    if wanted.languages:
        raise ExportError("captioners write one language; --languages is not for them")
    settings = {**read_json(folder / "config.json"), **read_json(folder / "generation_config.json")}
    refuse_unsupported(settings)
    tokenizer = open_tokenizer(folder)
    if not tokenizer.is_fast:
        raise ExportError(f"{folder}: {type(tokenizer).__name__} is no tokenizer of the `tokenizers` library")
    return CaptionerFiles(folder, settings, load_processor(folder), tokenizer)


def captioner(
    family: str,
    files: CaptionerFiles,
    encoder: PictureEncoder,
    decoder: DecoderDescription,
    target: Target,
    reference: VisionReference,
) -> SourceModel:
    """Puts a captioner together."""
    source = image_source(files.processor, encoder.config)
    limit = min(decoder.config.max_positions, MAX_TOKENS)
    return SourceModel(
        family=family,
        task="captioning",
        architecture=EncoderDecoderArchitecture(encoder, decoder),
        reference=reference,
        source=source,
        target=target,
        tokenizers={TOKENIZER: shipped(files.tokenizer)},
        max_source_tokens=source.num_positions,
        max_target_tokens=limit,
        generation=generation_defaults(dict(files.settings), limit),
        provenance=Provenance(source=str(files.settings.get("_name_or_path") or files.folder.name)),
    )


def caption_target(tokenizer: Any, ids: Mapping[str, Any], *, vocab_size: int) -> Target:
    """How captions begin and end.

    Args:
        ids: the tokens "start", "end" (one or more) and "pad".

    Raises:
        ExportError: with every token that is None.
    """
    missing = [name for name, token in ids.items() if token is None]
    if missing:
        raise ExportError(f"config.json names no {' and no '.join(missing)} token")
    ends = ids["end"] if isinstance(ids["end"], list) else [ids["end"]]
    special = {ids["start"], ids["pad"], *ends, *tokenizer.all_special_ids}
    return Target(
        tokenizer=TOKENIZER,
        vocab_size=vocab_size,
        start_id=ids["start"],
        pad_id=ids["pad"],
        end_ids=tuple(ends),
        special_ids=tuple(sorted(special)),
    )
