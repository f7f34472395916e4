"""What captioners of `transformers` share."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import AutoTokenizer

from export.description import DecoderDescription
from export.errors import ExportError
from export.families.hugging_face import HuggingFaceReference
from export.quantize import Float32Array
from export.reference import Source
from models.bundle import Target

TOKENIZER = "tokenizer.json"


class VisionReference(HuggingFaceReference):
    """A model of pictures, with its own image processor and tokenizer."""

    def __init__(
        self, net: Any, description: DecoderDescription, target: Target, processor: Any, tokenizer: Any
    ) -> None:
        super().__init__(net, description, target)
        self._processor = processor
        self._tokenizer = tokenizer

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
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))


def load_tokenizer(folder: Path) -> Any:
    """Opens the checkpoint's own tokenizer, of the kind that `tokenizers` runs.

    Raises:
        ExportError: there is none, or it is of another kind.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # whatever files of another kind make of it
        raise ExportError(f"{folder} holds no tokenizer that can be read: {error}") from error
    if not tokenizer.is_fast:
        raise ExportError(f"{folder}: {type(tokenizer).__name__} is no tokenizer of the `tokenizers` library")
    return tokenizer


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
