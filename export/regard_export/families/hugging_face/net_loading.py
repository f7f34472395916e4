"""Loads the net of a `transformers` checkpoint."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError, safe_open
from torch import Tensor
from transformers import GenerationConfig

from regard_export.checkpoints.files import read_json, read_pickle, require_files
from regard_export.errors import ExportError, listed

OTHER_WEIGHTS = ("tf_model*.h5", "flax_model*.msgpack", "*.gguf", "*.onnx")
WRAPPERS = {"module.": "DataParallel", "_orig_mod.": "torch.compile"}  # who sets what before a name
LOGITS_BIAS = "final_logits_bias"


def load_net(
    model_class: Any, folder: Path, *, ignored: re.Pattern[str] | None = None, is_pickle_trusted: bool = False
) -> Any:
    """Loads a checkpoint in float32, without running its code.

    Args:
        ignored: names of weights that may be missing or superfluous, since nothing reads them.
        is_pickle_trusted: whether to read pickles of more than tensors too.

    Raises:
        ExportError: there are no weights, or names all missing, unexpected and misshapen ones.
    """
    _refuse_missing_parts(folder)
    transformers.logging.disable_progress_bar()
    weights = _read_pickled_weights(folder, is_trusted=is_pickle_trusted)
    try:
        net, found = _from_pretrained(model_class, folder, weights)
    except SafetensorError as error:
        raise ExportError(f"{folder} cannot be read, its weights are damaged or incomplete: {error}") from error
    except Exception as error:  # transformers and torch raise many kinds
        raise ExportError(f"{folder} cannot be read: {error}") from error
    lengthened = _lengthen_logits_bias(net, found, folder, weights)
    faults = [fault for fault in _weight_faults(found, ignored) if not lengthened or not fault.startswith(LOGITS_BIAS)]
    if faults:
        raise ExportError(f"{folder}: {listed(faults)}")
    net.generation_config = GenerationConfig()
    return net.eval()


def _from_pretrained(model_class: Any, folder: Path, weights: Mapping[str, Tensor] | None) -> tuple[Any, Any]:
    """The net and the library's report on its weights; `weights` is None if the folder holds safetensors."""
    options: dict[str, Any] = {
        "dtype": torch.float32,
        "attn_implementation": "eager",
        "local_files_only": True,
        "output_loading_info": True,
        "ignore_mismatched_sizes": True,  # `_weight_faults` names them all at once
    }
    if weights is None:
        net, found = model_class.from_pretrained(folder, **options)
    else:
        config = model_class.config_class.from_pretrained(folder, local_files_only=True)
        net, found = model_class.from_pretrained(None, config=config, state_dict=weights, **options)
    return net, found


def _lengthen_logits_bias(net: Any, found: Any, folder: Path, weights: Mapping[str, Tensor] | None) -> bool:
    """Appends zeros to a bias that is shorter than the vocabulary; returns whether there was one.

    `resize_token_embeddings` with `pad_to_multiple_of` leaves Marian's bias shorter than its table.
    """
    if not any(name == LOGITS_BIAS and theirs[-1] < ours[-1] for name, theirs, ours in found["mismatched_keys"]):
        return False
    if weights is None:
        weights = {}
        for file in folder.glob("*.safetensors"):
            with safe_open(file, framework="pt") as tensors:
                weights |= {name: tensors.get_tensor(name) for name in {LOGITS_BIAS}.intersection(tensors.keys())}
    bias = weights[LOGITS_BIAS].float()
    net.final_logits_bias.zero_()[:, : bias.shape[-1]] = bias
    return True


def _weight_faults(found: Any, ignored: re.Pattern[str] | None) -> Iterator[str]:
    """Names every misshapen, missing and unexpected weight of the library's report, or a wrapper around the net."""
    names = found["unexpected_keys"]
    for prefix, wrapper in WRAPPERS.items():
        if names and all(name.startswith(prefix) for name in names):
            yield f"the names of its weights begin with {prefix}, of {wrapper}: save the model that it wraps"
            return
    for name, theirs, ours in found["mismatched_keys"]:
        yield f"{name} has shape {tuple(theirs)}, not {tuple(ours)}"
    for fault in ("missing", "unexpected"):
        for name in sorted(found[f"{fault}_keys"]):
            if ignored is None or not ignored.fullmatch(name):
                yield f"{name} is {fault}"


def _refuse_missing_parts(folder: Path) -> None:
    """Raises ExportError if a file that an index of weights names is missing, or the index itself."""
    indexes = {name: folder / f"{name}.index.json" for name in ("model.safetensors", "pytorch_model.bin")}
    found = [name for name, index in indexes.items() if index.is_file() and not (folder / name).is_file()]
    for name in found[:1]:
        places = read_json(indexes[name]).get("weight_map")
        if not isinstance(places, dict):
            raise ExportError(f"{indexes[name]} has no weight_map of names to files")
        require_files(folder, *sorted(set(map(str, places.values()))))
    parts = sorted(folder.glob("model-*.safetensors"))
    if parts and not found and not (folder / "model.safetensors").is_file():
        raise ExportError(f"{folder} lacks model.safetensors.index.json, which lists the contents of {parts[0].name}")


def _read_pickled_weights(folder: Path, *, is_trusted: bool) -> dict[str, Tensor] | None:
    """The weights of a checkpoint without safetensors; None if it has safetensors.

    Raises:
        ExportError: there are no weights, or they are not trusted, or cannot be read.
    """
    if any(folder.glob("*.safetensors")):
        return None
    files = sorted(folder.glob("pytorch_model*.bin"))
    if not files:
        others = [file.name for pattern in OTHER_WEIGHTS for file in sorted(folder.glob(pattern))]
        named = f"; {', '.join(others)}, of another framework, is not read" if others else ""
        raise ExportError(f"{folder} holds no weights: neither model.safetensors nor pytorch_model.bin{named}")
    weights: dict[str, Tensor] = {}
    for file in files:
        content = read_pickle(file, is_trusted=is_trusted)
        if not isinstance(content, dict):
            raise ExportError(f"{file} holds a {type(content).__name__}, not weights by their names")
        weights |= {name: _as_float32(value) for name, value in content.items()}
    return weights


def _as_float32(value: Any) -> Any:
    """A saved state may be in half precision, which `from_pretrained` would keep."""
    return value.float() if isinstance(value, Tensor) and value.is_floating_point() else value
