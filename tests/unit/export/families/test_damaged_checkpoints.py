"""Damaged and hostile checkpoints: the command names the cause, and prints no traceback."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import load_file, save_file
from torch import Tensor

from regard_export.checkpoints.source_model import LoadOptions
from regard_export.cli.commands import export_command, verify_command
from regard_export.families.loading import load_source_model
from tests.unit.export.marian_checkpoints import change_json, write_marian
from tests.unit.export.transformer_checkpoints import description_of
from tests.unit.export.vision_checkpoints import HEIGHT, WIDTH, write_blip, write_vision

WEIGHTS, PICKLE = "model.safetensors", "pytorch_model.bin"
PARTS = tuple(f"model-0000{number}-of-00002.safetensors" for number in (1, 2))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_marian(tmp_path_factory.mktemp("marian") / "checkpoint")


@pytest.fixture
def copy(checkpoint: Path, tmp_path: Path) -> Path:
    """A checkpoint that the test may change."""
    return Path(shutil.copytree(checkpoint, tmp_path / "checkpoint"))


def _read(source: Path, *options: str) -> Result:
    return CliRunner().invoke(export_command, [str(source), "-o", str(source.parent / "out"), "--dry-run", *options])


def _refusal(source: Path, *options: str) -> str:
    """The command's message; it must exit with 1, through an error that it raised itself."""
    result = _read(source, *options)
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 1
    assert not (source.parent / "out").exists()
    return " ".join(result.stderr.split())


def _without(file: Path, *names: str) -> None:
    settings = json.loads(file.read_text())
    file.write_text(json.dumps({name: value for name, value in settings.items() if name not in names}))


def _write(file: str, content: str | bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / file).write_bytes(content.encode() if isinstance(content, str) else content)


def _changed(**changes: Any) -> Callable[[Path], object]:
    return lambda folder: change_json(folder / "config.json", **changes)


def _generating(**changes: Any) -> Callable[[Path], object]:
    return lambda folder: change_json(folder / "generation_config.json", **changes)


def _cut(folder: Path) -> None:
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[: len(content) // 2])


def _pickled(folder: Path, change: Callable[[dict[str, Tensor]], Any]) -> None:
    weights = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    torch.save(change(weights), folder / PICKLE)


def _in_parts(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    names = sorted(weights)
    half = len(names) // 2
    for part, part_names in zip(PARTS, (names[:half], names[half:]), strict=True):
        save_file({name: weights[name] for name in part_names}, folder / part, metadata={"format": "pt"})
    places = {name: PARTS[position >= half] for position, name in enumerate(names)}
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))


def _without_part(folder: Path) -> None:
    _in_parts(folder)
    (folder / PARTS[1]).unlink()


def _without_index(folder: Path) -> None:
    _in_parts(folder)
    (folder / f"{WEIGHTS}.index.json").unlink()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(_write("config.json", "{no"), "config.json is not JSON", id="config: no JSON"),
        pytest.param(_write("config.json", b"\xff\xfe{}"), "config.json is not JSON", id="config: no UTF-8"),
        pytest.param(_write("config.json", "[1, 2]"), "config.json holds a list, not an object", id="config: list"),
        pytest.param(_write("config.json", "{}"), "names no architecture; known are bart, blip", id="config: empty"),
        pytest.param(_changed(model_type="mamba"), "unknown architecture 'mamba'; known are bart", id="unknown"),
        pytest.param(_changed(model_type=["marian"]), "unknown architecture", id="type: list"),
        pytest.param(_changed(d_model="many"), "'d_model' expected int", id="width: text"),
        pytest.param(_changed(d_model=-4), "negative dimension", id="width: negative"),
        pytest.param(_changed(d_model=10**9), "allocate", id="width: huge"),
        pytest.param(_write("generation_config.json", "{"), "generation_config.json is not JSON", id="generation"),
        pytest.param(_write("generation_config.json", "[1]"), "holds a list, not an object", id="generation: list"),
        pytest.param(_generating(num_beams=64), "num_beams 64, more than 16", id="beams"),
        pytest.param(_generating(max_length="long"), "max_length 'long' is no whole number", id="length: text"),
        pytest.param(_write("tokenizer_config.json", "{"), "tokenizer_config.json is not JSON", id="tokenizer config"),
        pytest.param(_write("vocab.json", "[1]"), "vocab.json holds a list, not an object", id="vocabulary"),
        pytest.param(lambda folder: (folder / "source.spm").unlink(), "lacks source.spm", id="no tokenizer"),
        pytest.param(_write(WEIGHTS, b""), "cannot be read, its weights are damaged", id="weights: empty"),
        pytest.param(_cut, "cannot be read, its weights are damaged or incomplete", id="weights: cut off"),
        pytest.param(
            lambda f: _pickled(f, lambda weights: {**weights, "step": 3}), "step is unexpected", id="a number"
        ),
        pytest.param(lambda folder: (folder / WEIGHTS).unlink(), "holds no weights", id="no weights"),
        pytest.param(_without_part, f"lacks {PARTS[1]}", id="a part is missing"),
        pytest.param(_without_index, f"lacks {WEIGHTS}.index.json", id="the index is missing"),
        pytest.param(lambda f: _pickled(f, list), "holds a list, not weights by their names", id="pickle of a list"),
    ],
)  # fmt: skip
def test_the_cause_is_named(copy, change: Callable[[Path], object], message: str) -> None:
    change(copy)
    assert message in _refusal(copy)


def test_missing_settings_are_named(copy) -> None:
    _without(copy / "generation_config.json", "decoder_start_token_id")
    _without(copy / "config.json", "decoder_start_token_id")
    assert "there is no 'decoder_start_token_id'" in _refusal(copy)


def test_all_weights_that_are_not_finite_are_named(copy) -> None:
    weights = load_file(copy / WEIGHTS)
    weights["model.decoder.layers.1.fc1.weight"][0, 0] = torch.nan
    weights["model.encoder.layers.0.fc2.bias"][0] = torch.inf
    save_file(weights, copy / WEIGHTS, metadata={"format": "pt"})
    refusal = _refusal(copy)
    assert "decoder.1.feed_forward.inner.weight is not finite; encoder.0.feed_forward.outer.bias is not" in refusal


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_weights_of_half_precision_become_float32(copy, dtype: torch.dtype) -> None:
    weights = {name: weight.to(dtype) for name, weight in load_file(copy / WEIGHTS).items()}
    save_file(weights, copy / WEIGHTS, metadata={"format": "pt"})
    described = description_of(load_source_model(copy)).weights
    expected = weights["model.decoder.layers.1.fc1.weight"].float().numpy()
    assert (described["decoder.1.feed_forward.inner.weight"] == expected).all()
    assert {weight.dtype.name for weight in described.values()} == {"float32"}


def test_weights_in_parts_are_read(copy, checkpoint) -> None:
    _in_parts(copy)
    ours, whole = (description_of(load_source_model(folder)).weights for folder in (copy, checkpoint))
    assert ours.keys() == whole.keys()
    assert all((ours[name] == whole[name]).all() for name in whole)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("notes.txt", b"hello", "notes.txt is no file that PyTorch saved, or damaged"),
        ("model.pt", b"junk", "model.pt is no file that PyTorch saved, or damaged"),
        ("model.gguf", b"GGUF" + bytes(60), "model.gguf is no file that PyTorch saved, or damaged"),
        ("empty.pt", b"", "empty.pt is no file that PyTorch saved, or damaged"),
    ],
)
def test_files_without_a_checkpoint(tmp_path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert message in _refusal(tmp_path / name)


def test_an_empty_folder(tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    assert "empty holds no checkpoint: there is no config.json" in _refusal(tmp_path / "empty")
    for name in ("checkpoint-500", "checkpoint-1000"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "config.json").write_text("{}")
    assert "its folders: name checkpoint-1000 or checkpoint-500" in _refusal(tmp_path / "runs")
    (tmp_path / "runs" / "checkpoint-500" / "model.safetensors").write_bytes(b"")
    found = _refusal(tmp_path / "runs" / "checkpoint-500" / "model.safetensors")
    assert "holds weights alone" in found
    assert "name the folder" in found
    (tmp_path / "empty" / "manifest.json").write_text("{}")
    assert "empty is a bundle already, which `regard serve --model-directories" in _refusal(tmp_path / "empty")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_beams": "many"}, "num_beams 'many' is no whole number from 0 on"),
        ({"max_length": -5}, "max_length -5 is no whole number"),
        ({"length_penalty": "x"}, "length_penalty 'x' is no number"),
        ({"eos_token_id": "x"}, "eos_token_id 'x' is no token's id, and no list of them"),
        ({"suppress_tokens": [-1]}, r"suppress_tokens [-1] is no token's id"),
        ({"bad_words_ids": [5]}, "bad_words_ids [5] is no list of lists of ids"),
        ({"eos_token_id": 10**6}, "the checkpoint names eos_token_id 1000000"),
        ({"forced_bos_token_id": 10**6}, "the checkpoint names forced_bos_token_id 1000000"),
        ({"bad_words_ids": [[10**6]]}, "the checkpoint names bad_words_ids or suppress_tokens 1000000"),
    ],
    ids=str,
)
def test_settings_of_generation_that_are_damaged(copy, settings: dict[str, Any], message: str) -> None:
    _generating(**settings)(copy)
    assert message in _refusal(copy)


def test_a_config_of_another_model_ends_in_one_sentence(copy) -> None:
    _changed(d_model=64, encoder_layers=6, decoder_layers=6)(copy)
    message = _refusal(copy)
    assert "has shape" in message
    assert re.search(r"; and \d+ more", message)
    assert len(message) < 2000


@pytest.mark.parametrize("file", ["tf_model.h5", "flax_model.msgpack"])
def test_weights_of_other_frameworks_are_named(copy, file: str) -> None:
    (copy / WEIGHTS).rename(copy / file)
    assert f"{file}, of another framework, is not read" in _refusal(copy)


def test_an_index_that_lists_nothing(copy) -> None:
    (copy / WEIGHTS).unlink()
    (copy / f"{WEIGHTS}.index.json").write_text('{"weight_map": [1]}')
    assert "has no weight_map of names to files" in _refusal(copy)


@pytest.mark.parametrize("base", [None, "nope/none"])
def test_a_damaged_adapter_is_named(tmp_path: Path, base: str | None) -> None:
    settings = {"peft_type": "LORA", "base_model_name_or_path": base, "r": 4}
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text(json.dumps(settings))
    (tmp_path / "adapter" / "adapter_model.safetensors").write_bytes(b"")
    assert "adapter_model.safetensors is damaged or incomplete" in _refusal(tmp_path / "adapter")


def test_a_task_that_the_model_does_not_do(copy) -> None:
    assert "does translation, not summarization" in _refusal(copy, "--task", "summarization")


def test_a_folder_has_no_revisions(copy) -> None:
    assert "is a folder, and has no revisions" in _refusal(copy, "--revision", "main")


class Hostile:
    """Runs code when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.mark,)


class Weights(dict[str, Tensor]):
    """A class that only a trusted pickle may instantiate."""


@pytest.mark.parametrize("write", [write_marian, write_vision, write_blip])
def test_pickles_of_tensors_need_no_trust_and_others_do(tmp_path, write: Callable[[Path], Path]) -> None:
    folder, mark = write(tmp_path / "checkpoint"), tmp_path / "ran"
    source = [5, 6, 2] if write is write_marian else np.ones((3, HEIGHT, WIDTH), np.float32)

    def first_logits(load_options: LoadOptions) -> np.ndarray:
        model = load_source_model(folder, load_options)
        return model.reference.teacher_force(source, [model.target.start_id]).logits

    expected, weights = first_logits(LoadOptions()), load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    torch.save(weights, folder / PICKLE)
    assert np.allclose(first_logits(LoadOptions()), expected, atol=1e-5)

    torch.save(Weights(weights), folder / PICKLE)
    assert "may run any code when it is read; if you trust its author: --trust-pickle" in _refusal(folder)
    assert np.allclose(first_logits(LoadOptions(is_pickle_trusted=True)), expected, atol=1e-5)

    torch.save({**weights, "hostile": Hostile(mark)}, folder / PICKLE)
    assert "may run any code when it is read" in _refusal(folder)
    assert not mark.exists()
    assert "hostile is unexpected" in _refusal(folder, "--trust-pickle")
    assert mark.exists()


def test_a_dry_run_writes_nothing(copy, tmp_path) -> None:
    out = tmp_path / "new" / "folders" / "out"
    result = CliRunner().invoke(export_command, [str(copy), "-o", str(out), "--dry-run"])
    assert result.exit_code == 0, result.output
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


def test_an_output_below_a_file(copy, tmp_path) -> None:
    (tmp_path / "file").touch()
    result = CliRunner().invoke(export_command, [str(copy), "-o", str(tmp_path / "file" / "out")])
    assert result.exit_code == 1
    assert "is no folder" in result.stderr


def test_a_disk_that_fills_up_during_the_export(copy, tmp_path, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path / "weights.bin"))

    monkeypatch.setattr("regard_export.exporting.export.write_variant", full)
    result = CliRunner().invoke(export_command, [str(copy), "-o", str(tmp_path / "out")])
    assert (result.exit_code, "No space left on device" in result.stderr) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--name", "../up"), "no model may be called '../up'"),
        (("--name", "two words"), "no model may be called 'two words'"),
        (("--version", ""), "a version has 1 to 64 characters, not 0"),
    ],
)
def test_names_and_versions_that_no_model_may_have(copy, options: tuple[str, str], message: str) -> None:
    assert message in _refusal(copy, *options)


def test_verifying_against_another_checkpoint(copy, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("regard_export.verification.workload.MAX_SOURCES", 2)
    monkeypatch.setattr("regard_export.verification.workload.MAX_NEW_TOKENS", 4)
    out = str(tmp_path / "out")
    assert CliRunner().invoke(export_command, [str(copy), "-o", out]).exit_code == 0
    picture = write_vision(tmp_path / "vision")
    result = CliRunner().invoke(verify_command, [out, "--source", str(picture)])
    assert result.exit_code == 1
    refusal = "is not the checkpoint that 'out' was exported from, a model for translation of family marian"
    assert refusal in " ".join(result.stderr.split())
    result = CliRunner().invoke(verify_command, [out, "--revision", "main"])
    assert (result.exit_code, "--revision needs --source" in result.stderr) == (2, True)


def test_verifying_a_folder_without_a_bundle(tmp_path) -> None:
    result = CliRunner().invoke(verify_command, [str(tmp_path)])
    assert isinstance(result.exception, SystemExit)
    assert "manifest.json" in result.stderr
