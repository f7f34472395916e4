"""What the families of `transformers` checkpoints share."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor
from transformers import GenerationConfig

from export.description import Description
from export.errors import ExportError
from export.quantize import Float32Array
from export.reference import (
    Forced,
    Generated,
    Source,
    cross_attention_memory,
    forced,
    generate,
    generation_config,
)
from models.bundle import GenerationDefaults, Target

EARLY_STOPPING = {False: "heuristic", True: "first", "never": "never"}


class HuggingFaceReference:
    """An encoder-decoder model of `transformers`. Reads and writes no text.

    Args:
        net: with "eager" attention, which alone tells its weights.
        description: what it was mapped to; its banned tokens are never generated, the others' probabilities sum to 1.
    """

    unknown_id: int | None = None

    def __init__(self, net: Any, description: Description, target: Target) -> None:
        self.name = f"{type(net).__name__}, transformers {transformers.__version__}, PyTorch {torch.__version__}"
        self._net = net
        self._description = description
        self._target = target
        self._banned_ids = list(description.banned_ids)

    def inputs(self, source: Source) -> dict[str, Tensor]:
        """What the encoder's forward takes, by name, of one source."""
        return {"input_ids": torch.tensor([source])}

    @torch.inference_mode()
    def memory(self, source: Source) -> dict[str, Float32Array]:
        states = self._net.get_encoder()(**self.inputs(source)).last_hidden_state[0]
        return cross_attention_memory(self._description, states.numpy())

    @torch.inference_mode()
    def force(self, source: Source, target: Sequence[int]) -> Forced:
        output = self._net(**self.inputs(source), decoder_input_ids=torch.tensor([target]), output_attentions=True)
        logits = output.logits[0]
        logits[:, self._banned_ids] = -torch.inf
        return forced(logits, torch.cat(output.cross_attentions))

    @torch.inference_mode()
    def generate(self, source: Source, *, num_beams: int, max_new_tokens: int) -> Generated:
        config = generation_config(
            self._target,
            num_beams=num_beams,
            max_new_tokens=max_new_tokens,
            bad_words_ids=[[banned] for banned in self._banned_ids] or None,
            renormalize_logits=bool(self._banned_ids),
        )
        return generate(self._net, config, **self.inputs(source))


def load_net(model_class: Any, folder: Path, *, unread: re.Pattern[str] | None = None) -> Any:
    """Reads a checkpoint in float32; no code and no pickles other than plain tensors.

    Args:
        unread: names of weights that may be missing or superfluous, since nothing reads them.

    Raises:
        ExportError: with all missing, unexpected and misshapen weights.
    """
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        net, found = model_class.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager", local_files_only=True, output_loading_info=True
        )
    except Exception as error:  # of transformers, torch, safetensors: many kinds
        raise ExportError(f"{folder} cannot be read: {error}") from error
    faults = [
        f"{name} is {fault}"
        for fault in ("missing", "unexpected")
        for name in sorted(found[f"{fault}_keys"])
        if unread is None or not unread.fullmatch(name)
    ]
    if faults:
        raise ExportError(f"{folder}: " + "; ".join(faults))
    net.generation_config = GenerationConfig()  # type: ignore[no-untyped-call]
    return net.eval()


def read_json(file: Path) -> dict[str, Any]:
    """A file's content; nothing where there is no file."""
    settings: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return settings


def generation_defaults(options: dict[str, Any], max_target_tokens: int) -> GenerationDefaults:
    """Reads generation_config.json, or the generation part of an older config.json."""
    longest = options.get("max_new_tokens") or (options.get("max_length") or max_target_tokens + 1) - 1
    return GenerationDefaults(
        num_beams=options.get("num_beams") or 1,
        max_new_tokens=min(longest, max_target_tokens),
        length_penalty=1.0 if options.get("length_penalty") is None else options["length_penalty"],
        early_stopping=EARLY_STOPPING[options.get("early_stopping") or False],
        no_repeat_ngram_size=options.get("no_repeat_ngram_size") or 0,
        repetition_penalty=options.get("repetition_penalty") or 1.0,
    )
