"""Fine-tuned vocabularies, the whole way: exported by the command, served, and read as `transformers` reads them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import regard
from regard_export.cli.commands import export_command
from regard_service.bundle import Bundle, TextSource
from tests.parity.families.exports import serving
from tests.unit.export.fine_tuned_checkpoints import (
    NAMES,
    SPECIAL,
    fine_tuned_options,
    open_tokenizer,
    tiny_family,
    write_fine_tuned,
)

TYPED = ("The <hl> Covid <hl> dog.", "<hl>Covid, aCovidb (Covid) ~q~ ~q~", "Two dogs ~q~  <hl>")
CONTROLLED = ("Two <sep2> dogs <cls2> run.", "<sep2>Yes", "a<sep2>b <hl> <cls2>", "Where?<cls2> <cls2>  <sep2> ")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every family's checkpoint, and below `bundles` its bundle."""
    folder = tmp_path_factory.mktemp("fine_tuned")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("regard_export.verification.workload.MAX_SOURCES", 2)
        patch.setattr("regard_export.verification.workload.MAX_NEW_TOKENS", 4)
        patch.setattr("regard_export.verification.verifier.TIMED_BATCH_SIZES", (1,))
        for name in NAMES:
            checkpoint = write_fine_tuned(folder / _model(name), name)
            options = fine_tuned_options(name)
            pairs = ",".join("-".join(pair) for pair in options.languages)
            arguments = [str(checkpoint), "-o", str(folder / "bundles" / _model(name)), "--precision", "float32"]
            arguments += ["--languages", pairs] if pairs else []
            result = CliRunner().invoke(export_command, arguments + (["--task", options.task] if options.task else []))
            assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[regard.Client]:
    with serving(folder / "bundles") as client:
        yield client


@pytest.fixture
def ask(client: regard.Client) -> Callable[..., regard.Result]:
    def ask(name: str, text: str, **options: Any) -> regard.Result:
        fixed = {"model": _model(name), "num_beams": 1, "max_new_tokens": 2, **options}
        if client.model(_model(name)).task == "summarization":
            return client.summarize(text, **fixed)
        source, target = tiny_family(name).languages
        return client.translate(text, target, source_language=source, raw=True, **fixed)

    return ask


def _model(name: str) -> str:
    return name.replace(" ", "-")


def _theirs(folder: Path, name: str, text: str) -> list[int]:
    """The ids that users of `transformers` get."""
    tokenizer, family = open_tokenizer(folder / _model(name)), tiny_family(name)
    source: Any = Bundle.load(folder / "bundles" / _model(name)).manifest.source
    if source.needs_source_language:
        tokenizer.src_lang = family.languages[0]
    return list(tokenizer(f"{family.prompt}{text}{family.ending}", add_special_tokens=not family.ending).input_ids)


def _ours(result: regard.Result) -> list[int]:
    return [token.id for token in result.source_tokens]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", TYPED)
def test_ordinary_added_tokens_are_read_in_every_text(ask, folder: Path, name: str, text: str) -> None:
    assert _ours(ask(name, text)) == _theirs(folder, name, text)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", CONTROLLED)
def test_control_tokens_are_read_where_the_request_names_them(ask, folder: Path, name: str, text: str) -> None:
    assert _ours(ask(name, text, control_tokens=SPECIAL)) == _theirs(folder, name, text)


@pytest.mark.parametrize("name", NAMES)
def test_special_tokens_that_are_typed_are_text(ask, folder: Path, name: str) -> None:
    tokenizer = open_tokenizer(folder / _model(name))
    first, second = map(tokenizer.convert_tokens_to_ids, SPECIAL)
    text = "Two <sep2> dogs <cls2> run."
    assert not {first, second} & set(_ours(ask(name, text)))
    one = _ours(ask(name, text, control_tokens=[SPECIAL[0]]))
    assert (first in one, second in one) == (True, False)


@pytest.mark.parametrize("name", NAMES)
def test_verification_types_the_added_tokens(folder: Path, name: str) -> None:
    manifest = Bundle.load(folder / "bundles" / _model(name)).manifest
    assert isinstance(manifest.source, TextSource)
    assert set(SPECIAL) <= {token.content for token in manifest.source.control_tokens}
    checks = manifest.verification["checks"]["inputs"]
    assert checks["inputs with control tokens tokenized differently"]["value"] == 0


def test_the_model_lists_its_control_tokens(client: regard.Client, folder: Path) -> None:
    assert set(SPECIAL) <= set(client.model("bart").control_tokens)


def test_tokens_that_the_model_does_not_have_are_refused_one_by_one(ask) -> None:
    with pytest.raises(regard.InvalidArgument) as error:
        ask("bart", "Two dogs", control_tokens=["<sep2>", "<nope>", "</s>"])
    assert [violation.field for violation in error.value.violations] == ["control_tokens[1]", "control_tokens[2]"]
    assert "'<nope>' is no control token of model 'bart', which has <mask>, <sep2>, <cls2>" in str(error.value)
    with pytest.raises(regard.InvalidArgument, match="names '<sep2>' more than once"):
        ask("bart", "Two dogs", control_tokens=["<sep2>", "<sep2>"])
