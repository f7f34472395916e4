"""Adapters: merged into their base as they would run beside it, or refused with the sentence that helps."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file
from torch import Tensor
from transformers import AutoTokenizer, BartForConditionalGeneration

from regard_export.checkpoints.source_model import LoadOptions, SourceModel
from regard_export.cli.commands import export_command
from regard_export.errors import ExportError
from regard_export.families.loading import load_source_model
from regard_service.bundle import Bundle
from tests.unit.export.family_checkpoints import write_family

LAYERS = ("model.encoder.layers.0.self_attn.q_proj", "model.decoder.layers.1.fc1", "model.decoder.layers.0.fc2")
RANK, ALPHA = 3, 12
CONFIG = {"peft_type": "LORA", "r": RANK, "lora_alpha": ALPHA, "target_modules": ["q_proj", "fc1", "fc2"]}
TEXT = "Two dogs are running through the snow."


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_family(tmp_path_factory.mktemp("base") / "bart", "bart")


@pytest.fixture
def net(base: Path) -> Any:
    return BartForConditionalGeneration.from_pretrained(base, attn_implementation="eager").eval()


def _parts(net: Any, rank: int = RANK) -> dict[str, Tensor]:
    torch.manual_seed(1)
    found = {}
    for name in LAYERS:
        rows, columns = net.get_submodule(name).weight.shape
        found[f"base_model.model.{name}.lora_A.weight"] = torch.randn(rank, columns) * 0.3
        found[f"base_model.model.{name}.lora_B.weight"] = torch.randn(rows, rank) * 0.3
    return found


def _write(folder: Path, weights: Mapping[str, Tensor], base: Path | str | None, **config: Any) -> Path:
    """A folder as the Trainer leaves it: an adapter, and states of the training."""
    folder.mkdir(exist_ok=True)
    save_file({name: weight.contiguous() for name, weight in weights.items()}, folder / "adapter_model.safetensors")
    settings = {**CONFIG, "base_model_name_or_path": None if base is None else str(base), **config}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    torch.save({"state": {}}, folder / "optimizer.pt")
    torch.save({"last_epoch": 3}, folder / "scheduler.pt")
    return folder


def _load(folder: Path, **options: Any) -> SourceModel:
    return load_source_model(folder, LoadOptions("summarization", **options))


def _hook(module: Any, a: Tensor, b: Tensor, scale: float) -> None:
    """Runs an adapter beside its layer: h + scale B A x."""
    module.register_forward_hook(lambda _, inputs, output: output + scale * (inputs[0] @ a.T @ b.T))


def _logits(model: SourceModel, base: Path) -> tuple[list[int], Any]:
    source = AutoTokenizer.from_pretrained(base)(TEXT).input_ids
    return source, torch.from_numpy(model.reference.teacher_force(source, [2, 0, 5, 6, 7]).logits)


@pytest.mark.parametrize(
    ("options", "scales"),
    [
        ({}, (ALPHA / RANK,) * 3),
        ({"use_rslora": True}, (ALPHA / RANK**0.5,) * 3),
        ({"alpha_pattern": {"decoder.layers.1.fc1": 6, "fc2": 24}}, (ALPHA / RANK, 2.0, 8.0)),
    ],
)
def test_an_adapter_is_merged(base: Path, net: Any, tmp_path: Path, options: Any, scales: tuple[float, ...]) -> None:
    parts = _parts(net)
    model = _load(_write(tmp_path / "adapter", parts, base, **options))
    for name, scale in zip(LAYERS, scales, strict=True):
        a, b = (parts[f"base_model.model.{name}.lora_{side}.weight"] for side in "AB")
        _hook(net.get_submodule(name), a, b, scale)
    source, ours = _logits(model, base)
    with torch.inference_mode():
        theirs = net(input_ids=torch.tensor([source]), decoder_input_ids=torch.tensor([[2, 0, 5, 6, 7]])).logits[0]
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    assert model.provenance.source == f"{base} with the adapter adapter"


def test_the_whole_way(base: Path, net: Any, tmp_path: Path) -> None:
    folder = _write(tmp_path / "adapter", _parts(net), "owner/unreachable")
    arguments = [str(folder), "-o", str(tmp_path / "out"), "--task", "summarization", "--precision", "float32"]
    result = CliRunner().invoke(export_command, [*arguments, "--base", str(base)])
    assert result.exit_code == 0, result.output
    assert "adapter" in Bundle.load(tmp_path / "out").manifest.provenance.source


def test_an_adapter_with_new_words_brings_its_table_and_its_tokenizer(base: Path, net: Any, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.add_tokens(["<hl>"])
    table = torch.randn(len(tokenizer), 32)
    weights = {**_parts(net), "base_model.model.model.shared.weight": table}
    folder = _write(tmp_path / "adapter", weights, base)
    tokenizer.save_pretrained(folder)
    model = _load(folder)
    reference: Any = model.reference
    assert reference.tokenize("a <hl> b", "") == tokenizer("a <hl> b").input_ids
    architecture: Any = model.architecture
    assert (architecture.description.embedding == table.numpy()).all()


def test_dora_gives_each_row_its_length(base: Path, net: Any, tmp_path: Path) -> None:
    parts, name = _parts(net), LAYERS[1]
    lengths = torch.rand(48) + 0.5
    weights = {key: value for key, value in parts.items() if name in key}
    weights[f"base_model.model.{name}.lora_magnitude_vector"] = lengths
    architecture: Any = _load(_write(tmp_path / "adapter", weights, base)).architecture
    found = architecture.description.weights["decoder.1.feed_forward.inner.weight"]
    torch.testing.assert_close(torch.from_numpy(found).norm(dim=1), lengths)


def _beside(folder: Path, base: Path, net: Any, named: Path | str | None) -> Path:
    shutil.copytree(base, folder)
    return _write(folder, _parts(net), named)


def test_an_adapter_beside_its_base_is_applied(base: Path, net: Any, tmp_path: Path) -> None:
    _, alone = _logits(_load(base), base)
    _, adapted = _logits(_load(_beside(tmp_path / "both", base, net, None)), base)
    _, same = _logits(_load(_write(tmp_path / "adapter", _parts(net), base)), base)
    torch.testing.assert_close(adapted, same)
    assert (adapted - alone).abs().max() > 0.1


def test_an_adapter_beside_another_model_is_refused(base: Path, net: Any, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"holds a model, and beside it an adapter of owner/other.*--base"):
        _load(_beside(tmp_path / "both", base, net, "owner/other"))


def _without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


@pytest.mark.parametrize(
    ("config", "change", "message"),
    [
        ({"peft_type": "IA3"}, None, r"cannot be merged here \(peft_type IA3\): merge it with PEFT"),
        ({"trainable_token_indices": [3]}, None, r"trainable_token_indices \[3\]"),
        ({}, _without("adapter_config.json"), "no adapter_config.json, which says what they adapt"),
        ({}, _without("adapter_model.safetensors"), "lacks adapter_model.safetensors or adapter_model.bin"),
        ({"base_model_name_or_path": None}, None, r"names no base model: name its folder, --base FOLDER"),
        ({"base_model_name_or_path": "no/where"}, None, r"an adapter of no/where, which is not found.*--base FOLDER"),
    ],
)
def test_refusals(base: Path, net: Any, tmp_path: Path, monkeypatch, config: Any, change: Any, message: str) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = _write(tmp_path / "adapter", _parts(net), base, **config)
    if change:
        change(folder)
    with pytest.raises(ExportError, match=message):
        _load(folder)


def test_every_part_that_does_not_fit_is_named(base: Path, net: Any, tmp_path: Path) -> None:
    weights = _parts(net)
    weights[f"base_model.model.{LAYERS[0]}.lora_A.weight"] = torch.zeros(RANK, 7)
    weights["base_model.model.model.nowhere.lora_A.weight"] = torch.zeros(RANK, 7)
    weights["base_model.model.classifier.weight"] = torch.zeros(3)
    for side, shape in (("A", (RANK, 402)), ("B", (32, RANK))):
        weights[f"base_model.model.model.shared.lora_embedding_{side}"] = torch.zeros(shape)
    with pytest.raises(ExportError, match="does not fit its base") as error:
        _load(_write(tmp_path / "adapter", weights, base))
    for part in (LAYERS[0], "nowhere", "classifier.weight is unexpected", "model.shared: is shared with other layers"):
        assert part in str(error.value)


def test_states_of_a_training_are_no_model(tmp_path: Path) -> None:
    for name in ("optimizer.pt", "scheduler.pt", "rng_state_0.pth", "scaler.pt"):
        torch.save({"state": {}}, tmp_path / name)
    with pytest.raises(ExportError, match="holds no checkpoint"):
        load_source_model(tmp_path)


def test_a_base_without_an_adapter_is_refused(base: Path) -> None:
    with pytest.raises(ExportError, match="--base has no meaning"):
        _load(base, base="elsewhere")


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("options", [{}, {"use_dora": True}, {"use_rslora": True, "rank_pattern": {"fc1": 2}}])
def test_merged_as_peft_merges(base: Path, net: Any, tmp_path: Path, options: dict[str, Any]) -> None:
    """Where PEFT is installed; it is none of the development environment's packages."""
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(r=4, lora_alpha=10, target_modules=["q_proj", "v_proj", "fc1"], **options)
    adapted = peft.get_peft_model(net, config)
    torch.manual_seed(2)
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    adapted.save_pretrained(tmp_path / "adapter")
    with torch.inference_mode():
        source, ours = _logits(_load(tmp_path / "adapter", base=str(base)), base)
        theirs = adapted(input_ids=torch.tensor([source]), decoder_input_ids=torch.tensor([[2, 0, 5, 6, 7]])).logits[0]
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
