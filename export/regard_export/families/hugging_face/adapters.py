"""LoRA adapters (Hu et al. 2022) as PEFT saves them, merged into the model that they adapt: W + scale B A.

With DoRA (Liu et al. 2024), each row of the sum gets the length that was trained.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from regard_export.checkpoints.files import read_json, read_pickle
from regard_export.checkpoints.hub import find_checkpoint
from regard_export.errors import ExportError, listed
from regard_export.families.hugging_face.net_loading import load_net
from regard_export.families.hugging_face.vision_encoder_decoder import IGNORED_WEIGHTS

CONFIG_FILE = "adapter_config.json"
WEIGHT_FILES = ("adapter_model.safetensors", "adapter_model.bin")
BASE_WEIGHTS = ("*.safetensors", "*.safetensors.index.json", "pytorch_model*")
PREFIX = "base_model.model."
# PEFT's names of the parts of a layer's adapter; the first two multiply.
PARTS = re.compile(r"(.+)\.(lora_A|lora_B|lora_embedding_A|lora_embedding_B|lora_magnitude_vector)(?:\.weight)?")
# Options that change how an adapter is applied, with the values that have no effect.
NEUTRAL_VALUES: dict[str, tuple[Any, ...]] = {
    "layer_replication": (None,),
    "lora_bias": (None, False),
    "use_qalora": (None, False),
    "use_bdlora": (None, False),
    "arrow_config": (None,),
    "trainable_token_indices": (None, [], {}),
    "target_parameters": (None, []),
    "megatron_config": (None,),
}
ADVICE = "merge it with PEFT (merge_and_unload), save the result with its tokenizer, and export that folder"


@dataclass
class Adapter:
    """An adapter's weights, by the names of the modules that they change.

    Attributes:
        parts: of each module, by PEFT's names.
        replaced: whole weights that were trained and saved, such as resized embeddings, by their names.
    """

    config: Mapping[str, Any]
    parts: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    replaced: dict[str, Tensor] = field(default_factory=dict)

    def scale(self, module: str, rank: int) -> float:
        """What multiplies a module's B A."""
        alpha = self.config.get("lora_alpha", 8)
        for pattern, value in (self.config.get("alpha_pattern") or {}).items():
            if re.fullmatch(rf"(.*\.)?({pattern})", module):
                alpha = value
                break
        return float(alpha) / (math.sqrt(rank) if self.config.get("use_rslora") else rank)


def has_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter, alone or beside a model."""
    return any((folder / name).is_file() for name in (CONFIG_FILE, *WEIGHT_FILES))


@contextmanager
def merged(folder: Path, base: str | None, *, is_pickle_trusted: bool) -> Iterator[tuple[Path, str]]:
    """Merges a folder's adapter into its base; yields a folder with the result, which the block's end removes.

    Args:
        base: folder of the base, or its name on the hub; None is what the adapter names.

    Yields:
        the folder of a whole checkpoint, and the base's name.

    Raises:
        ExportError: the adapter is of another kind, its base is not found or does not fit, or it is unclear which model
            the adapter adapts.
    """
    adapter = _read_adapter(folder, is_pickle_trusted)
    name, base_folder = _find_base(folder, base or str(adapter.config.get("base_model_name_or_path") or ""), base)
    with TemporaryDirectory(prefix="regard-adapter-") as scratch:
        plain, result = Path(scratch, "base"), Path(scratch, "merged")
        _link_files(base_folder, plain, without=("adapter_*",))
        config = read_json(plain / "config.json")
        net_class = _net_class(base_folder, config)
        net = load_net(net_class, plain, ignored=IGNORED_WEIGHTS, is_pickle_trusted=is_pickle_trusted)
        _apply(adapter, net)
        net.save_pretrained(result)
        sizes = {key: value for key, value in read_json(result / "config.json").items() if key.endswith("vocab_size")}
        for written in ("config.json", "generation_config.json"):
            (result / written).unlink(missing_ok=True)
        for place in (folder, base_folder):  # the adapter's own tokenizer, if it has one, has its added tokens
            _link_files(place, result, without=("adapter_*", "README.md", "config.json", "*.pt", *BASE_WEIGHTS))
        (result / "config.json").write_text(json.dumps({**config, **sizes}), encoding="utf-8")
        yield result, name


def _read_adapter(folder: Path, is_pickle_trusted: bool) -> Adapter:
    config = read_json(folder / CONFIG_FILE)
    if not config:
        raise ExportError(f"{folder} holds the weights of an adapter, but no {CONFIG_FILE}, which says what they adapt")
    kind = str(config.get("peft_type") or "unknown")
    faults = [f"{name} {config[name]!r}" for name, neutral in NEUTRAL_VALUES.items() if config.get(name) not in neutral]
    if kind != "LORA" or faults:
        named = "; ".join(faults) or f"peft_type {kind}"
        raise ExportError(f"{folder} holds an adapter that cannot be merged here ({named}): {ADVICE}")
    file = next((folder / name for name in WEIGHT_FILES if (folder / name).is_file()), None)
    if file is None:
        raise ExportError(f"{folder} has {CONFIG_FILE}, and lacks {' or '.join(WEIGHT_FILES)}")
    try:
        weights = load_file(file) if file.suffix == ".safetensors" else read_pickle(file, is_trusted=is_pickle_trusted)
    except SafetensorError as error:
        raise ExportError(f"{file} is damaged or incomplete: {error}") from error
    adapter = Adapter(config)
    for key, weight in weights.items():
        name, part = key.removeprefix(PREFIX).replace(".base_layer", ""), PARTS.fullmatch(key.removeprefix(PREFIX))
        if part is None:
            adapter.replaced[name] = weight.float()
        else:
            adapter.parts.setdefault(part[1], {})[part[2]] = weight.float()
    return adapter


def _find_base(folder: Path, named: str, chosen: str | None) -> tuple[str, Path]:
    """The base's name and folder: the caller's, else the model beside the adapter, else what the adapter names."""
    has_model = (folder / "config.json").is_file() and any(
        file.name not in WEIGHT_FILES for pattern in BASE_WEIGHTS for file in folder.glob(pattern)
    )
    found = next((place for place in (Path(named), folder / named) if named and place.is_dir()), None)
    if has_model and chosen is None:
        if named and (found is None or found.resolve() != folder.resolve()):
            raise ExportError(
                f"{folder} holds a model, and beside it an adapter of {named}: name the one that is adapted, "
                f"--base {folder} or --base {named}; or move the adapter's files away to export the model alone"
            )
        return folder.name, folder
    if found is not None:
        return named, found
    if not named:
        raise ExportError(f"{folder} holds an adapter, which names no base model: name its folder, --base FOLDER")
    try:
        return named, find_checkpoint(named, None).path
    except ExportError as error:
        raise ExportError(
            f"{folder} holds an adapter of {named}, which is not found: name its folder, --base FOLDER ({error})"
        ) from error


def _link_files(source: Path, target: Path, *, without: tuple[str, ...]) -> None:
    """Links the files of a folder into another one, where they are not yet."""
    target.mkdir(exist_ok=True)
    for file in source.iterdir():
        if file.is_file() and not any(file.match(pattern) for pattern in without) and not (target / file.name).exists():
            (target / file.name).symlink_to(file.resolve())


def _net_class(folder: Path, config: Mapping[str, Any]) -> Any:
    names = config.get("architectures") or [None]
    found = getattr(transformers, str(names[0]), None)
    if not (isinstance(found, type) and issubclass(found, transformers.PreTrainedModel)):
        raise ExportError(f"{folder / 'config.json'} names no architecture of transformers: {names[0]!r}")
    return found


@torch.no_grad()
def _apply(adapter: Adapter, net: Any) -> None:
    """Changes the net's weights in place. Raises ExportError with every part of the adapter that does not fit."""
    faults = [fault for name, weight in adapter.replaced.items() if (fault := _replace(net, name, weight))]
    state = net.state_dict(keep_vars=True)
    for name, parts in adapter.parts.items():
        try:
            module = net.get_submodule(name)
            weight = module.weight
            if any(other is weight for key, other in state.items() if key != f"{name}.weight"):
                raise RuntimeError("is shared with other layers, which the adapter leaves as they are")
            weight.copy_(_sum(weight, parts, adapter, name, is_transposed=isinstance(module, Conv1D)))
        except (AttributeError, KeyError, RuntimeError) as error:
            faults.append(f"{name}: {error!s}".splitlines()[0])
    if faults:
        raise ExportError(f"the adapter does not fit its base: {listed(faults)}")


def _replace(net: Any, name: str, weight: Tensor) -> str:
    """Sets a whole weight; resizes the vocabulary for a larger table. Returns what is wrong, or ""."""
    state = net.state_dict(keep_vars=True)
    if name not in state:
        return f"{name} is unexpected"
    is_table = name.endswith("weight") and state[name] is net.get_input_embeddings().weight
    if is_table and len(weight) != len(state[name]):
        net.resize_token_embeddings(len(weight), mean_resizing=False)
        state = net.state_dict(keep_vars=True)
    if state[name].shape != weight.shape:
        return f"{name} has shape {tuple(weight.shape)}, not {tuple(state[name].shape)}"
    state[name].data.copy_(weight)
    return ""


def _sum(
    weight: nn.Parameter, parts: Mapping[str, Tensor], adapter: Adapter, name: str, *, is_transposed: bool
) -> Tensor:
    """The adapted weight, in the shape of `weight`; of `Conv1D`, which stores it transposed, and of embeddings too."""
    is_embedding = "lora_embedding_A" in parts
    a, b = (parts[f"lora_embedding_{side}" if is_embedding else f"lora_{side}"] for side in "AB")
    delta = b @ a * adapter.scale(name, len(a))
    delta = delta.T if is_transposed or is_embedding else delta
    if delta.shape != weight.shape:
        raise RuntimeError(f"has shape {tuple(delta.shape)}, not {tuple(weight.shape)}")
    adapted = weight + delta
    magnitude = parts.get("lora_magnitude_vector")
    if magnitude is None:
        return adapted
    if is_embedding:
        raise RuntimeError("is an embedding with DoRA")
    inputs = 0 if is_transposed else 1
    lengths: Tensor = adapted.norm(dim=inputs, keepdim=True)
    return adapted / lengths * magnitude.reshape((1, -1) if is_transposed else (-1, 1))
