"""VisionEncoderDecoder models of `transformers`: a vision transformer that a GPT-2, BERT or TrOCR decoder describes."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoTokenizer, VisionEncoderDecoderModel

from export.description import DecoderDescription
from export.errors import ExportError
from export.families.hugging_face import HuggingFaceReference, generation_defaults, load_net, read_json
from export.families.mapping import under
from export.families.pictures import image_source, load_processor
from export.families.source import SourceModel
from export.families.text_decoders import make_sinusoids_anew, text_decoder
from export.families.vision_encoders import vision_encoder
from export.graph.encoder_decoder import EncoderDecoderArchitecture
from export.graph.vision import VisionEncoder
from export.reference import Source
from models.bundle import Provenance, Target

FAMILY = "vision-encoder-decoder"
TOKENIZER = "tokenizer.json"
# An encoder's pooler is read by nothing, and often missing; older files carry GPT-2's causal masks as weights.
UNREAD = re.compile(
    r"encoder\.pooler\..*|decoder\.transformer\.h\.\d+\.\w+\.(bias|masked_bias)|decoder\..*position_ids"
)


def load(folder: Path) -> SourceModel:
    """Reads a checkpoint's folder."""
    processor, tokenizer = load_processor(folder), load_tokenizer(folder)
    net = load_net(VisionEncoderDecoderModel, folder, unread=UNREAD)
    make_sinusoids_anew(net)
    weights = {name: x.numpy() for name, x in net.state_dict().items()}
    settings = {**read_json(folder / "config.json"), **read_json(folder / "generation_config.json")}
    encoder = vision_encoder(net.config.encoder, under(weights, "encoder."))
    decoder = text_decoder(
        net.config.decoder,
        under(weights, "decoder."),
        memory_width=encoder.config.width,
        bridge=under(weights, "enc_to_dec_proj."),
        banned_ids=banned_ids(settings),
    )
    vision = encoder.vision
    source = image_source(
        processor,
        size=(vision.image_height, vision.image_width),
        grid=vision.grid,
        first_position=vision.class_tokens,
    )
    limit = decoder.config.max_positions
    target = caption_target(tokenizer, settings, net.config.decoder)
    return SourceModel(
        family=FAMILY,
        task="captioning",
        architecture=EncoderDecoderArchitecture(VisionEncoder(encoder), decoder),
        reference=VisionReference(net, decoder, target, processor, tokenizer),
        source=source,
        target=target,
        tokenizers={TOKENIZER: tokenizer.backend_tokenizer.to_str()},
        max_source_tokens=source.num_positions,
        max_target_tokens=limit,
        generation=generation_defaults(settings, limit),
        provenance=Provenance(source=str(settings.get("_name_or_path") or folder.name)),
    )


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


def banned_ids(settings: Mapping[str, Any]) -> tuple[int, ...]:
    """Tokens that the checkpoint bans from its outputs."""
    words = settings.get("bad_words_ids") or []
    if any(len(word) != 1 for word in words):
        raise ExportError("bad_words_ids of several tokens are not supported")
    return tuple(sorted({word[0] for word in words}))


def caption_target(tokenizer: Any, settings: Mapping[str, Any], decoder: Any) -> Target:
    """How captions begin and end.

    Args:
        settings: of config.json and generation_config.json; where they say nothing, the decoder's config does.

    Raises:
        ExportError: with every token that nothing names.
    """
    chosen = {
        "start": settings.get("decoder_start_token_id", _token(decoder, "decoder_start", "bos")),
        "end": _first(settings.get("eos_token_id"), _token(decoder, "eos", "sep")),
        "pad": _first(settings.get("pad_token_id"), _token(decoder, "pad", "eos")),
    }
    missing = [name for name, token in chosen.items() if token is None]
    if missing:
        raise ExportError(f"config.json names no {' and no '.join(missing)} token")
    ends = chosen["end"] if isinstance(chosen["end"], list) else [chosen["end"]]
    special = {chosen["start"], chosen["pad"], *ends, *tokenizer.all_special_ids}
    return Target(
        tokenizer=TOKENIZER,
        vocab_size=decoder.vocab_size,
        start_id=chosen["start"],
        pad_id=chosen["pad"],
        end_ids=tuple(ends),
        special_ids=tuple(sorted(special)),
    )


def _token(config: Any, *kinds: str) -> Any:
    return _first(*(getattr(config, f"{kind}_token_id", None) for kind in kinds))


def _first(*values: Any) -> Any:
    """The first that is not None."""
    return next((value for value in values if value is not None), None)
