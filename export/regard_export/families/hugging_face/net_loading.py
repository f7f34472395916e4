"""What the families of `transformers` checkpoints share."""

import json
import pickle
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from regard_service.bundle import GenerationDefaults, Target
from regard_service.generation import Generation
from safetensors import SafetensorError
from torch import Tensor
from transformers import GenerationConfig

from regard.arrays import Float32Array
from regard_export.checkpoints.source_model import require_files
from regard_export.descriptions.transformer import Description
from regard_export.errors import ExportError
from regard_export.references.reference import (
    Forced,
    Generated,
    Source,
    cross_attention_memory,
    forced,
    generate,
    generation_config,
)
from regard_export.resources.memory import give_memory_back

# Options of `generate` that the engine does not have, with the values that ask for nothing.
UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "do_sample": (None, False),
    "num_beam_groups": (None, 1),
    "diversity_penalty": (None, 0),
    "penalty_alpha": (None, 0),
    "encoder_repetition_penalty": (None, 1),
    "encoder_no_repeat_ngram_size": (None, 0),
    "exponential_decay_length_penalty": (None,),
    "begin_suppress_tokens": (None, []),
    "forced_decoder_ids": (None, []),
    "force_words_ids": (None, []),
    "constraints": (None, []),
    "sequence_bias": (None, {}, []),
    "guidance_scale": (None, 1),
    "dola_layers": (None,),
}

MAX_BEAMS = 16  # of `GenerationDefaults`
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
        if hasattr(net, "get_encoder"):  # whose weights are not wanted until the next source
            net.get_encoder().register_forward_hook(lambda *_: give_memory_back())
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
        return forced(self.without_banned(output.logits[0]), torch.cat(output.cross_attentions))

    @torch.inference_mode()
    def generate(self, source: Source, generation: Generation) -> Generated:
        return generate(self._net, self.search_config(generation), **self.inputs(source))

    def without_banned(self, logits: Tensor) -> Tensor:
        """Bans tokens in place; logits: float [target, vocabulary]."""
        logits[:, self._banned_ids] = -torch.inf
        return logits

    def search_config(self, generation: Generation) -> GenerationConfig:
        return generation_config(
            self._target,
            generation,
            bad_words_ids=[[banned] for banned in self._banned_ids] or None,
            renormalize_logits=bool(self._banned_ids),
        )


def load_net(
    model_class: Any, folder: Path, *, unread: re.Pattern[str] | None = None, trust_pickle: bool = False
) -> Any:
    """Reads a checkpoint in float32; no code and no pickles other than plain tensors.

    Args:
        unread: names of weights that may be missing or superfluous, since nothing reads them.
        trust_pickle: read pickles of any kind.

    Raises:
        ExportError: there are no weights, or with all missing, unexpected and misshapen ones.
    """
    _refuse_missing_parts(folder)
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    options: dict[str, Any] = {
        "dtype": torch.float32,
        "attn_implementation": "eager",
        "local_files_only": True,
        "output_loading_info": True,
        "ignore_mismatched_sizes": True,  # they are named below, all at once
    }
    weights = read_pickle(folder, trust=trust_pickle)
    try:
        if weights is None:
            net, found = model_class.from_pretrained(folder, **options)
        else:
            config = model_class.config_class.from_pretrained(folder, local_files_only=True)
            net, found = model_class.from_pretrained(None, config=config, state_dict=weights, **options)
    except SafetensorError as error:
        raise ExportError(f"{folder} cannot be read, its weights are damaged or incomplete: {error}") from error
    except Exception as error:  # of transformers and torch: many kinds
        raise ExportError(f"{folder} cannot be read: {error}") from error
    faults = [f"{name} has shape {tuple(theirs)}, not {tuple(ours)}" for name, theirs, ours in found["mismatched_keys"]]
    faults += [
        f"{name} is {fault}"
        for fault in ("missing", "unexpected")
        for name in sorted(found[f"{fault}_keys"])
        if unread is None or not unread.fullmatch(name)
    ]
    if faults:
        raise ExportError(f"{folder}: " + "; ".join(faults))
    net.generation_config = GenerationConfig()  # type: ignore[no-untyped-call]
    return net.eval()


def _refuse_missing_parts(folder: Path) -> None:
    """Raises ExportError with every file of weights that an index names and that is not there."""
    indexes = {name: folder / f"{name}.index.json" for name in ("model.safetensors", "pytorch_model.bin")}
    found = [name for name, index in indexes.items() if index.is_file() and not (folder / name).is_file()]
    for name in found[:1]:
        require_files(folder, *sorted(set(map(str, read_json(indexes[name]).get("weight_map", {}).values()))))
    parts = sorted(folder.glob("model-*.safetensors"))
    if parts and not found and not (folder / "model.safetensors").is_file():
        raise ExportError(f"{folder} lacks model.safetensors.index.json, which tells what is in {parts[0].name}")


def read_pickle(folder: Path, *, trust: bool) -> dict[str, Tensor] | None:
    """The weights of a checkpoint that has none in safetensors; None where it has.

    Raises:
        ExportError: there are no weights that can be read, or they are a pickle of more than tensors.
    """
    if any(folder.glob("*.safetensors")):
        return None
    files = sorted(folder.glob("pytorch_model*.bin"))
    if not files:
        raise ExportError(f"{folder} holds no weights: neither model.safetensors nor pytorch_model.bin")
    weights: dict[str, Tensor] = {}
    for file in files:
        content = read_checkpoint_pickle(file, trust=trust)
        if not isinstance(content, dict):
            raise ExportError(f"{file} holds a {type(content).__name__}, not weights by their names")
        weights |= content
    return weights


def read_checkpoint_pickle(file: Path, *, trust: bool) -> dict[str, Any]:
    """What PyTorch saved.

    Raises:
        ExportError: it holds more than tensors and is not trusted, or cannot be read.
    """
    try:
        content: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=not trust)
    except pickle.UnpicklingError as error:
        raise ExportError(
            f"{file} is a pickle of more than tensors, which may run any code when it is read; "
            "if you trust its author: --trust-pickle"
        ) from error
    except Exception as error:  # of torch: many kinds
        raise ExportError(f"{file} is no file that PyTorch saved, or damaged: {error!r}") from error
    return content


def read_json(file: Path) -> dict[str, Any]:
    """A file's content; nothing where there is no file.

    Raises:
        ExportError: the content is no JSON object.
    """
    if not file.is_file():
        return {}
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ExportError(f"{file} is not JSON: {error}") from error
    if not isinstance(settings, dict):
        raise ExportError(f"{file} holds a {type(settings).__name__}, not an object")
    return settings


def refuse_unsupported(settings: Mapping[str, Any]) -> None:
    """Names every generation option that the engine does not have.

    Raises:
        ExportError: if there are any.
    """
    asked = [f"{name} {settings[name]!r}" for name in UNSUPPORTED if settings.get(name) not in UNSUPPORTED[name]]
    if any(len(word) != 1 for word in settings.get("bad_words_ids") or []):
        asked.append("bad_words_ids of several tokens")
    if (settings.get("num_beams") or 1) > MAX_BEAMS:
        asked.append(f"num_beams {settings['num_beams']}, more than {MAX_BEAMS}")
    if asked:
        raise ExportError(f"the checkpoint asks for what is not supported: {'; '.join(asked)}")


def banned_ids(settings: Mapping[str, Any]) -> tuple[int, ...]:
    """Tokens that the checkpoint bans from its outputs."""
    words = [word[0] for word in settings.get("bad_words_ids") or []]
    return tuple(sorted({*words, *(settings.get("suppress_tokens") or [])}))


def generation_defaults(options: dict[str, Any], max_target_tokens: int) -> GenerationDefaults:
    """Reads generation_config.json, or the generation part of an older config.json."""
    longest = options.get("max_new_tokens") or (options.get("max_length") or max_target_tokens + 1) - 1
    return GenerationDefaults(
        num_beams=options.get("num_beams") or 1,
        max_new_tokens=min(longest, max_target_tokens),
        min_new_tokens=min(_shortest(options), longest, max_target_tokens),
        length_penalty=1.0 if options.get("length_penalty") is None else options["length_penalty"],
        early_stopping=EARLY_STOPPING[options.get("early_stopping") or False],
        no_repeat_ngram_size=options.get("no_repeat_ngram_size") or 0,
        repetition_penalty=options.get("repetition_penalty") or 1.0,
    )


def _shortest(options: Mapping[str, Any]) -> int:
    """Their min_length counts the start token."""
    return int(options.get("min_new_tokens") or max(0, (options.get("min_length") or 0) - 1))
