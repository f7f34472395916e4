"""The texts that tell a model its target language or task, and languages that nothing tells apart."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from regard_export.checkpoints.source_model import LoadOptions
from regard_export.cli.commands import export_command
from regard_export.errors import ExportError
from regard_export.families.loading import load_options_of, load_source_model
from regard_service.bundle import Bundle
from tests.parity.families.exports import serving
from tests.unit.export.family_checkpoints import write_family
from tests.unit.export.fine_tuned_checkpoints import open_tokenizer
from tests.unit.export.marian_checkpoints import change_json, write_marian

PAIRS = (("en", "de"), ("en", "fr"))
PREFIXES = (("de", "translate English to German: "), ("fr", "<2fr> "))


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    written: dict[str, Path] = {}

    def get(name: str) -> Path:
        if name not in written:
            folder = tmp_path_factory.mktemp("prefixes") / "checkpoint"
            written[name] = write_marian(folder) if name == "marian" else write_family(folder, name)
        return written[name]

    return get


def _load(folder: Path, task: Any = "translation", **options: Any) -> Any:
    return load_source_model(folder, LoadOptions(task, **options))


@pytest.mark.parametrize("name", ["mt5", "marian", "bart"])
def test_targets_that_nothing_tells_apart_are_refused(checkpoints, name: str) -> None:
    with pytest.raises(ExportError, match=r"nothing tells the target languages de and fr apart.*--prefix fr=TEXT"):
        _load(checkpoints(name), languages=PAIRS)
    with pytest.raises(ExportError, match="de and fr apart"):
        _load(checkpoints(name), languages=PAIRS, prefixes=(("", "translate: "),) if name != "bart" else ())


@pytest.mark.parametrize("name", ["mt5", "marian"])
def test_a_prefix_a_target_is_read_as_callers_of_transformers_write_it(checkpoints, name: str) -> None:
    folder = checkpoints(name)
    model, tokenizer = _load(folder, languages=PAIRS, prefixes=PREFIXES), open_tokenizer(folder)
    reference: Any = model.reference
    for target, prefix in PREFIXES:
        expected = tokenizer(f"{prefix}Where is the library?").input_ids
        assert reference.tokenize("Where is the library?", target) == expected
        assert expected[: len(model.source.prefix_ids[target])] == list(model.source.prefix_ids[target])


def test_callers_prefixes_replace_the_configs(checkpoints) -> None:
    model = _load(checkpoints("t5"), languages=(("en", "de"),), prefixes=(("de", "into German: "),))
    tokenizer = open_tokenizer(checkpoints("t5"))
    assert list(model.source.prefix_ids["de"]) == tokenizer("into German:", add_special_tokens=False).input_ids


def test_a_summarizer_takes_a_prefix_for_any_style(checkpoints) -> None:
    model = _load(checkpoints("t5 v1.1"), "summarization", prefixes=(("", "summarize: "),))
    assert model.source.prefix_ids[""]


def test_special_tokens_before_the_text_stay_before_the_prefix(checkpoints) -> None:
    model = _load(checkpoints("nllb"), languages=(("eng_Latn", "deu_Latn"),), prefixes=(("deu_Latn", "formal: "),))
    tokenizer, reference = open_tokenizer(checkpoints("nllb")), model.reference
    tokenizer.src_lang = "eng_Latn"
    assert reference.tokenize("Yes.", "deu_Latn") == tokenizer("formal: Yes.").input_ids


def test_a_prefix_that_joins_with_the_first_word_is_refused(checkpoints) -> None:
    with pytest.raises(ExportError, match="'translate: ' is no sequence of tokens of its own"):
        _load(checkpoints("bart"), languages=(("en", "de"),), prefixes=(("de", "translate: "),))


def test_a_prefix_of_another_language_is_refused(checkpoints) -> None:
    with pytest.raises(ExportError, match="--prefix names es; the model's target languages are de"):
        _load(checkpoints("mt5"), languages=(("en", "de"),), prefixes=(("es", "a: "),))


def test_tokens_that_name_a_language_are_found(checkpoints) -> None:
    folder = checkpoints("madlad")
    model, tokenizer = _load(folder), open_tokenizer(folder)
    assert model.target_languages == ("de", "pt_BR")
    assert model.reference.tokenize("Yes.", "pt_BR") == tokenizer("<2pt_BR> Yes.").input_ids
    with pytest.raises(ExportError, match="no languages fr; there are de, pt_BR"):
        _load(folder, languages=(("en", "fr"),))


def test_indicbart_reads_and_writes_its_languages_tokens(checkpoints, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(checkpoints("indicbart"), tmp_path / "checkpoint"))
    tokenizer = open_tokenizer(folder)
    english, hindi, end = tokenizer.convert_tokens_to_ids(["<2en>", "<2hi>", "</s>"])
    for name in ("config.json", "generation_config.json"):
        change_json(folder / name, decoder_start_token_id=english)
    model = _load(folder, languages=(("en", "hi"),))
    expected = tokenizer("Yes. </s> <2en>", add_special_tokens=False).input_ids
    assert model.reference.tokenize("Yes.", "hi") == expected
    assert (model.source.suffix_ids, model.source.language_suffix_ids) == ((end,), {"en": (english,)})
    assert model.target.start_id == hindi
    with pytest.raises(ExportError, match="choose one target language of en, hi"):
        _load(folder, languages=(("en", "en"), ("en", "hi")))
    with pytest.raises(ExportError, match="no languages xx; there are en, hi"):
        _load(folder, languages=(("en", "xx"),))


@pytest.mark.parametrize(("given", "message"), [("de", "looks like"), ("=a: ", ""), ("de=", "")])
def test_the_option(checkpoints, tmp_path: Path, given: str, message: str) -> None:
    arguments = [str(checkpoints("mt5")), "-o", str(tmp_path / "out"), "--dry-run", "--task", "translation"]
    result = CliRunner().invoke(export_command, [*arguments, "--languages", "en-de", "--prefix", given])
    assert (result.exit_code, message in result.output) == (2 if message else 0, True), result.output


def test_lengths_of_relative_positions_are_chosen(checkpoints, tmp_path: Path) -> None:
    model = _load(checkpoints("mt5"), languages=(("en", "de"),), max_source_tokens=3000)
    assert (model.max_source_tokens, model.max_target_tokens) == (3000, 1024)
    with pytest.raises(ExportError, match=r"--max-source-tokens has no meaning for models of family bart.*256 tokens"):
        _load(checkpoints("bart"), "summarization", max_source_tokens=3000)


def test_a_long_source_and_prefixes_the_whole_way(checkpoints, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("regard_export.verification.workload.MAX_SOURCES", 2)
    monkeypatch.setattr("regard_export.verification.workload.MAX_NEW_TOKENS", 4)
    options = ["--task", "translation", "--languages", "en-de,en-fr", "--max-source-tokens", "2500"]
    options += [part for target, prefix in PREFIXES for part in ("--prefix", f"{target}={prefix}")]
    out = tmp_path / "bundles" / "mt5"
    result = CliRunner().invoke(
        export_command, [str(checkpoints("mt5")), "-o", str(out), "--precision", "float32", *options]
    )
    assert result.exit_code == 0, result.output
    again = load_options_of(Bundle.load(out).manifest)
    assert (dict(again.prefixes), again.max_source_tokens) == (dict(PREFIXES), 2500)
    text = "Where is the library? " * 110
    with serving(out.parent) as client:
        found = {
            target: client.translate(text, target, num_beams=1, max_new_tokens=2, raw=True) for target, _ in PREFIXES
        }
    tokenizer = open_tokenizer(checkpoints("mt5"))
    for target, prefix in PREFIXES:
        ids = [token.id for token in found[target].source_tokens]
        assert ids == tokenizer(f"{prefix}{text}").input_ids
        assert 1024 < len(ids) <= 2500
