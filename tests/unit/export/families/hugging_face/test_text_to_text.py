"""The manifests of text-to-text models, and refusals with advice."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import load_file, save_file

from regard_export.checkpoints.source_model import LoadOptions
from regard_export.cli.commands import export_command
from regard_export.errors import ExportError
from regard_export.families.hugging_face import text_to_text
from regard_export.families.loading import load_source_model
from regard_service.bundle import TextSource
from tests.unit.export.family_checkpoints import FAMILIES, write_family
from tests.unit.export.marian_checkpoints import change_json


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Writes each checkpoint once."""
    written: dict[str, Path] = {}

    def get(name: str) -> Path:
        if name not in written:
            written[name] = write_family(tmp_path_factory.mktemp("families") / "checkpoint", name)
        return written[name]

    return get


@pytest.fixture
def bart(checkpoints, tmp_path) -> Path:
    """A checkpoint that the test may change."""
    return Path(shutil.copytree(checkpoints("bart"), tmp_path / "checkpoint"))


def _load(folder: Path, task: Any = "summarization") -> Any:
    return load_source_model(folder, LoadOptions(task))


@pytest.mark.parametrize("name", ["t5", "mt5"])
def test_models_of_several_tasks_need_a_task(checkpoints, name: str) -> None:
    with pytest.raises(ExportError, match="translation or summarization; say which: --task"):
        load_source_model(checkpoints(name))


@pytest.mark.parametrize(("name", "task"), [("pegasus", "translation"), ("m2m_100", "summarization")])
def test_a_task_that_a_family_does_not_do(checkpoints, name: str, task: Any) -> None:
    with pytest.raises(ExportError, match=f"models of family {name} do .*, not {task}"):
        load_source_model(checkpoints(name), LoadOptions(task))


def test_languages_must_be_named(checkpoints) -> None:
    with pytest.raises(ExportError, match="name them: --languages SOURCE-TARGET"):
        load_source_model(checkpoints("mt5"), LoadOptions("translation"))


@pytest.mark.parametrize("name", ["nllb", "mbart50", "t5"])
def test_unknown_languages_are_answered_with_the_known_ones(checkpoints, name: str) -> None:
    with pytest.raises(ExportError, match=r"no languages .*; there are"):
        load_source_model(checkpoints(name), LoadOptions("translation", (("en", "tlh"),)))


def test_a_summarizer_has_no_languages(checkpoints) -> None:
    with pytest.raises(ExportError, match="--languages has no meaning for summarization"):
        load_source_model(checkpoints("pegasus"), LoadOptions(languages=(("en", "de"),)))


def test_a_task_has_its_own_prompt_and_settings(checkpoints) -> None:
    model = load_source_model(checkpoints("t5"), LoadOptions("summarization"))
    assert (model.generation.num_beams, model.generation.min_new_tokens) == (3, 3)
    assert model.generation.no_repeat_ngram_size == 3
    assert isinstance(model.reference, text_to_text.TextToTextReference)
    assert isinstance(model.source, TextSource)
    tokenizer = model.reference._tokenizer
    ids = tokenizer("summarize: Thank you!").input_ids
    assert model.reference.tokenize("Thank you!", "") == ids
    assert model.source.prefix_ids[""] == tuple(ids[: len(model.source.prefix_ids[""])])


def test_prompts_allow_one_source_language(checkpoints, tmp_path) -> None:
    folder = Path(shutil.copytree(checkpoints("t5"), tmp_path / "t5"))
    prompts = {f"translation_{s}_to_{t}": {"prefix": f"{s} to {t}: "} for s, t in (("en", "de"), ("fr", "de"))}
    change_json(folder / "config.json", task_specific_params=prompts)
    with pytest.raises(ExportError, match="choose one source language of en, fr"):
        load_source_model(folder, LoadOptions("translation"))
    assert load_source_model(folder, LoadOptions("translation", (("fr", "de"),))).source_languages == ("fr",)


def test_a_language_that_the_checkpoint_forces_is_its_only_target(checkpoints, tmp_path) -> None:
    folder = Path(shutil.copytree(checkpoints("mbart50"), tmp_path / "mbart50"))
    english = load_source_model(folder).target.forced_first_ids["en_XX"]
    change_json(folder / "generation_config.json", forced_bos_token_id=english)
    model = load_source_model(folder)
    assert (model.target_languages, model.target.forced_first_ids) == (("en_XX",), {"en_XX": english})
    with pytest.raises(ExportError, match="to en_XX"):
        load_source_model(folder, LoadOptions(languages=(("de_DE", "fr_XX"),)))


def test_unknown_architectures_are_answered_with_the_known_ones(bart) -> None:
    change_json(bart / "config.json", model_type="longt5")
    with pytest.raises(ExportError, match=r"unknown architecture 'longt5'; known are .*bart.*m2m_100.*t5"):
        _load(bart)


def test_an_unsupported_activation(bart) -> None:
    change_json(bart / "config.json", activation_function="tanh")
    with pytest.raises(ExportError, match="activation_function 'tanh' is not supported"):
        _load(bart)


def test_a_checkpoint_without_a_tokenizer(bart) -> None:
    for file in ("tokenizer.json", "vocab.json"):
        (bart / file).unlink(missing_ok=True)
    with pytest.raises(ExportError, match="holds no tokenizer: none of"):
        _load(bart)


def test_a_tokenizer_of_another_model(bart) -> None:
    tokenizer = (bart / "tokenizer.json").read_text()
    (bart / "tokenizer.json").write_text(tokenizer[: len(tokenizer) // 2])
    with pytest.raises(ExportError, match="cannot be read"):
        _load(bart)


def test_all_weights_of_a_wrong_shape_are_named(bart) -> None:
    weights = load_file(bart / "model.safetensors")
    for name in ("model.encoder.layers.0.fc1.weight", "model.decoder.layers.1.fc2.bias"):
        weights[name] = torch.zeros(3)
    save_file(weights, bart / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ExportError) as error:
        _load(bart)
    assert "model.encoder.layers.0.fc1.weight has shape (3,), not (48, 32)" in str(error.value)
    assert "model.decoder.layers.1.fc2.bias has shape (3,), not (32,)" in str(error.value)


class Malicious:
    """Touches a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path(self.mark),))

    def __init__(self, mark: Path) -> None:
        self.mark = str(mark)


def _as_pickle(folder: Path, **more: Any) -> None:
    torch.save({**load_file(folder / "model.safetensors"), **more}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def test_a_pickle_of_tensors_is_read(bart, checkpoints) -> None:
    _as_pickle(bart)
    ours, theirs = (_load(folder).architecture.description.weights for folder in (bart, checkpoints("bart")))
    assert all((ours[name] == theirs[name]).all() for name in theirs)


def test_another_pickle_runs_only_if_it_is_trusted(bart, tmp_path) -> None:
    mark = tmp_path / "was here"
    _as_pickle(bart, extra=Malicious(mark))
    with pytest.raises(ExportError, match="may run any code when it is read; if you trust its author: --trust-pickle"):
        _load(bart)
    assert not mark.exists()
    with pytest.raises(ExportError, match="extra is unexpected"):
        load_source_model(bart, LoadOptions("summarization", is_pickle_trusted=True))
    assert mark.exists()


def test_a_checkpoint_without_weights(bart) -> None:
    (bart / "model.safetensors").rename(bart / "tf_model.h5")
    with pytest.raises(ExportError, match=r"holds no weights: neither model.safetensors nor pytorch_model.bin"):
        _load(bart)


def _command(*arguments: object) -> Result:
    return CliRunner().invoke(export_command, [str(argument) for argument in arguments])


def test_a_dry_run_says_what_would_be_written_and_writes_nothing(checkpoints, tmp_path) -> None:
    languages = "eng_Latn-deu_Latn,fra_Latn-spa_Latn"
    out = tmp_path / "out"
    options = ("--dry-run", "--precision", "int8,float32", "--languages", languages)
    result = _command(checkpoints("nllb"), "-o", out, *options)
    assert result.exit_code == 0, result.output
    for part in ("translation (m2m_100)", "eng_Latn, fra_Latn to deu_Latn, spa_Latn", "int8", "float32", "no --data"):
        assert part in result.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("languages", ["en", "en-de-fr", "-de", "en-de,fr"])
def test_malformed_language_pairs(checkpoints, tmp_path, languages: str) -> None:
    result = _command(checkpoints("mt5"), "-o", tmp_path / "out", "--task", "translation", "--languages", languages)
    assert (result.exit_code, "pairs look like en-de" in result.stderr) == (2, True)


def test_a_folder_that_is_not_empty_is_refused_before_anything_is_fetched(tmp_path, monkeypatch) -> None:
    (tmp_path / "note.txt").write_text("mine")
    monkeypatch.setattr("regard_export.checkpoints.hub.find_checkpoint", lambda *_: pytest.fail("called the hub"))
    result = _command("owner/model", "-o", tmp_path)
    assert (result.exit_code, "is not an empty folder" in result.stderr) == (1, True)


def test_every_family_has_a_checkpoint() -> None:
    assert {family.net.config_class.model_type for family in FAMILIES.values()} == set(text_to_text.FAMILIES)
