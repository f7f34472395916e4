"""What `transformers` 5 and its users save: processors, half precision, pointers, settings as `generate` takes them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from transformers import (
    BartForConditionalGeneration,
    BarthezTokenizer,
    BlipForConditionalGeneration,
    BlipImageProcessor,
    BlipProcessor,
    MarianMTModel,
)

from regard_export.checkpoints.source_model import LoadOptions, SourceModel
from regard_export.cli.commands import export_command
from regard_export.errors import ExportError
from regard_export.families.loading import load_source_model
from regard_export.references.protocols import TextReference
from regard_service.bundle import Bundle, TextSource
from regard_service.generation import Generation
from tests.parity.families.exports import serving
from tests.unit.export.family_checkpoints import FAMILIES, sentencepiece_model, write_family
from tests.unit.export.fine_tuned_checkpoints import open_tokenizer, tiny_family
from tests.unit.export.marian_checkpoints import change_json, write_marian
from tests.unit.export.vision_checkpoints import HEIGHT, WIDTH, write_blip

TEXT = "Two dogs are running through the snow."


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Writes each checkpoint once."""
    found: dict[str, Path] = {}

    def get(name: str) -> Path:
        if name not in found:
            folder = tmp_path_factory.mktemp("saved") / "checkpoint"
            write = {"marian": write_marian, "blip": write_blip}.get(name)
            found[name] = write(folder) if write else write_family(folder, name)
        return found[name]

    return get


@pytest.fixture
def copy(written, tmp_path: Path) -> Callable[[str], Path]:
    """A checkpoint that the test may change."""
    return lambda name: Path(shutil.copytree(written(name), tmp_path / "checkpoint"))


def _load(folder: Path, name: str) -> SourceModel:
    tasks = {"blip": LoadOptions("captioning"), "marian": LoadOptions()}
    return load_source_model(folder, tasks.get(name) or FAMILIES[name].load_options)


def test_a_processor_alone(copy) -> None:
    folder = copy("blip")
    before = _load(folder, "blip")
    processor = BlipProcessor(BlipImageProcessor.from_pretrained(folder), open_tokenizer(folder))
    (folder / "preprocessor_config.json").unlink()
    processor.save_pretrained(folder)
    assert not (folder / "preprocessor_config.json").exists()
    assert _load(folder, "blip").source == before.source


def test_no_processor_at_all(copy) -> None:
    folder = copy("blip")
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(ExportError, match=r"lacks preprocessor_config.json or processor_config.json"):
        _load(folder, "blip")


def test_another_tokenizer_before_mbarts_net(copy, tmp_path: Path) -> None:
    folder = copy("mbart")
    for file in ("tokenizer.json", "tokenizer_config.json", "sentencepiece.bpe.model", "special_tokens_map.json"):
        (folder / file).unlink(missing_ok=True)
    (tmp_path / "sentencepiece.bpe.model").write_bytes(sentencepiece_model("unigram"))
    tokenizer = BarthezTokenizer.from_pretrained(tmp_path)
    tokenizer.save_pretrained(folder)
    ids = {"decoder_start_token_id": tokenizer.eos_token_id, "eos_token_id": tokenizer.eos_token_id}
    change_json(folder / "config.json", **ids, pad_token_id=tokenizer.pad_token_id)
    change_json(folder / "generation_config.json", **ids, pad_token_id=tokenizer.pad_token_id)
    model = load_source_model(folder)
    assert (model.task, model.source_languages, model.target_languages) == ("summarization", (), ())
    assert isinstance(model.source, TextSource)
    reference, expected = model.reference, open_tokenizer(folder)(TEXT).input_ids
    assert isinstance(reference, TextReference)
    assert reference.tokenize(TEXT, "") == expected
    before, after = model.source.prefix_ids.get("", ()), model.source.suffix_ids
    assert [*before, *expected[len(before) : len(expected) - len(after)], *after] == expected
    chosen = load_source_model(folder, LoadOptions(languages=(("fr", "en"),)))
    assert (chosen.task, chosen.target_languages) == ("translation", ("en",))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(copy, dtype: torch.dtype) -> None:
    folder = copy("marian")
    net: Any = MarianMTModel.from_pretrained(folder)
    net.to(dtype)
    torch.save(net.state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    expected = net.float().model.shared.weight
    architecture: Any = _load(folder, "marian").architecture
    assert (architecture.description.embedding == expected.detach().numpy()).all()


@pytest.mark.parametrize(("prefix", "wrapper"), [("module.", "DataParallel"), ("_orig_mod.", "torch.compile")])
def test_what_a_model_was_wrapped_in_is_named(copy, prefix: str, wrapper: str) -> None:
    folder = copy("bart")
    net: Any = BartForConditionalGeneration.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    torch.save({f"{prefix}{name}": value for name, value in net.state_dict().items()}, folder / "pytorch_model.bin")
    with pytest.raises(ExportError, match=f"its weights begin with {prefix}, of {wrapper}: save the model") as error:
        _load(folder, "bart")
    assert "is missing" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "file"), [("bart", "model.safetensors"), ("marian", "source.spm"), ("bart", "config.json")]
)
def test_pointers_of_git_lfs_are_named(copy, name: str, file: str) -> None:
    folder = copy(name)
    (folder / file).write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 123456\n")
    with pytest.raises(ExportError, match=rf"run git lfs pull: {file}"):
        _load(folder, name)


def test_a_pointer_that_nothing_reads_is_no_fault(copy) -> None:
    folder = copy("bart")
    before = _load(folder, "bart").target
    (folder / "flax_model.msgpack").write_text("version https://git-lfs.github.com/spec/v1\n")
    assert _load(folder, "bart").target == before


@pytest.mark.parametrize(
    ("start", "expected"), [([0], 0), (None, 0), (7, 7)], ids=["a list of one", "none: bos_token_id", "a piece"]
)
def test_the_decoders_start_is_that_of_generate(copy, start: Any, expected: int) -> None:
    folder = copy("bart")
    change_json(folder / "generation_config.json", decoder_start_token_id=start)
    model = _load(folder, "bart")
    assert model.target.start_id == expected
    net: Any = BartForConditionalGeneration.from_pretrained(folder)
    assert net.generate(torch.tensor([[0, 5, 2]]), max_new_tokens=3)[0, 0] == expected


def test_a_marian_takes_a_forced_first_token_and_several_ends(copy) -> None:
    folder = copy("marian")
    change_json(folder / "generation_config.json", forced_bos_token_id=9, eos_token_id=[0, 12])
    target = _load(folder, "marian").target
    assert (target.forced_first_id("de"), target.end_ids) == (9, (0, 12))


def test_several_starts_are_refused(copy) -> None:
    folder = copy("bart")
    change_json(folder / "generation_config.json", decoder_start_token_id=[2, 3])
    with pytest.raises(ExportError, match=r"decoder_start_token_id \[2, 3\] is not one token"):
        _load(folder, "bart")


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("bart", {"d_model": 48, "encoder_attention_heads": 2}),  # heads of 24 and 12 numbers
        ("t5 v1.1", {"d_kv": 12, "num_layers": 1, "num_decoder_layers": 3}),
    ],
)
def test_unusual_sizes_export(tmp_path: Path, monkeypatch, name: str, changes: dict[str, int]) -> None:
    """The kernel of the step graph takes heads of a multiple of 8; the library's cache is too short for the second."""
    monkeypatch.setattr("regard_export.verification.workload.MAX_SOURCES", 2)
    monkeypatch.setattr("regard_export.verification.workload.MAX_NEW_TOKENS", 4)
    task = FAMILIES[name].load_options.task
    arguments = ["-o", str(tmp_path / "bundle"), "--precision", "float32,int8", *(["--task", task] if task else [])]
    checkpoint = write_family(tmp_path / "checkpoint", name, **changes)
    result = CliRunner().invoke(export_command, [str(checkpoint), *arguments, "--allow-mismatch"])
    assert result.exit_code == 0, result.output
    checks = Bundle.load(tmp_path / "bundle").manifest.verification["checks"]
    assert [check for check, outcome in checks["float32"].items() if not outcome["passed"]] == []


def test_ends_and_starts_that_are_pieces_are_no_text(copy) -> None:
    folder = copy("bart")
    change_json(folder / "generation_config.json", eos_token_id=[2, 20], decoder_start_token_id=30)
    reference, silent = _load(folder, "bart").reference, {20, 30}
    assert isinstance(reference, TextReference)
    assert reference.detokenize([21, 20, 30, 22]) == reference.detokenize([21, 22])
    assert silent <= _load(folder, "bart").target.silent_ids


def test_an_original_that_fails_is_named(copy, tmp_path: Path, monkeypatch) -> None:
    def fail(*_: Any) -> Any:
        raise IndexError("list index out of range")

    monkeypatch.setattr("regard_export.families.hugging_face.reference.generate", fail)
    result = CliRunner().invoke(export_command, [str(copy("bart")), "-o", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "the original cannot be compared with, it fails itself: IndexError" in " ".join(result.output.split())


def _move_settings(folder: Path, **settings: Any) -> None:
    """Puts settings into config.json, and none into generation_config.json but those that name tokens."""
    file = folder / "generation_config.json"
    kept = {name: value for name, value in json.loads(file.read_text()).items() if name.endswith("_token_id")}
    file.write_text(json.dumps(kept))
    change_json(folder / "config.json", **settings)


def test_settings_of_the_config_are_read_only_where_there_are_no_others(copy) -> None:
    folder = copy("bart")
    _move_settings(folder, num_beams=4, min_length=20, max_length=60)
    found = _load(folder, "bart").generation
    assert (found.num_beams, found.min_new_tokens, found.max_new_tokens) == (1, 0, 20)
    (folder / "generation_config.json").unlink()
    found = _load(folder, "bart").generation
    assert (found.num_beams, found.min_new_tokens, found.max_new_tokens) == (4, 19, 59)


@pytest.mark.filterwarnings("ignore:Using the model-agnostic default")
@pytest.mark.parametrize("has_file", [True, False])
@pytest.mark.parametrize("name", [*FAMILIES, "marian", "blip"])
def test_defaults_are_what_generate_does_without_arguments(copy, name: str, has_file: bool) -> None:
    folder = copy(name)
    if name == "marian":  # as in the checkpoints of opus-mt
        pad = json.loads((folder / "config.json").read_text())["pad_token_id"]
        for file in ("config.json", "generation_config.json"):
            change_json(folder / file, bad_words_ids=[[pad]])
    if not has_file:
        (folder / "generation_config.json").unlink()
    model, net = _load(folder, name), (BlipForConditionalGeneration if name == "blip" else tiny_family(name).net)
    original: Any = net.from_pretrained(folder, attn_implementation="eager").eval()
    if name == "blip":
        pixels = torch.from_numpy(np.random.default_rng(0).normal(size=(3, HEIGHT, WIDTH)).astype(np.float32))
        inputs, generating = {"pixel_values": pixels[None]}, original.text_decoder
        source: Any = pixels.numpy()
    else:
        inputs = {"input_ids": open_tokenizer(folder)(TEXT, return_tensors="pt").input_ids}
        source, generating = inputs["input_ids"][0].tolist(), original
    applied = {} if name == "blip" else tiny_family(name).applied
    theirs = original.generate(**inputs, **applied, forced_eos_token_id=None)[0, 1:].tolist()
    forced = generating.generation_config.forced_bos_token_id
    generation = Generation(**model.generation.model_dump(), forced_first_id=forced)
    ours = model.reference.generate(source, generation).tokens
    ends = [place for place, token in enumerate(theirs) if token in model.target.end_ids]
    assert ours == (theirs[: ends[0] + 1] if ends else theirs)


@pytest.mark.parametrize("is_renormalized", [False, True])
def test_banned_words_lower_other_words_only_if_the_settings_say_so(copy, tmp_path, is_renormalized: bool) -> None:
    folder = copy("bart")
    ids = range(5, 200)
    plain: dict[str, Any] = {
        "num_beams": 4,
        "no_repeat_ngram_size": 0,
        "min_length": 0,
        "renormalize_logits": is_renormalized,
    }
    plain["forced_bos_token_id"] = None
    change_json(folder / "generation_config.json", bad_words_ids=[[i] for i in (0, *ids)], max_length=8, **plain)
    options = ("--task", "summarization", "--precision", "float32,float16")
    result = CliRunner().invoke(export_command, [str(folder), "-o", str(tmp_path / "bundles" / "bart"), *options])
    assert result.exit_code == 0, result.output
    net = BartForConditionalGeneration.from_pretrained(folder).eval()
    inputs = open_tokenizer(folder)(TEXT, return_tensors="pt")
    fixed = {"output_scores": True, "return_dict_in_generate": True, "num_return_sequences": 4}
    theirs = net.generate(**inputs, forced_eos_token_id=None, **fixed)
    with serving(tmp_path / "bundles") as client:
        ours = client.summarize(TEXT, num_return_sequences=4)
    for hypothesis, tokens, score in zip(ours.hypotheses, theirs.sequences, theirs.sequences_scores, strict=True):
        expected = [token for token in tokens[1:].tolist() if token != net.config.pad_token_id]
        assert [token.id for token in hypothesis.tokens] == expected
        assert hypothesis.score == pytest.approx(float(score), abs=1e-4)
        assert not {*ids, 0} & set(expected)
