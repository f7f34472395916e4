"""The manifests of OpenNMT-py and fairseq checkpoints, and refusals; `test_families.py` serves them."""

import argparse
import shutil
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from regard_export.checkpoints.source_model import LoadOptions
from regard_export.errors import ExportError
from regard_export.families.loading import load_source_model
from regard_export.resources.threads import half_of_torch_threads
from regard_service.generation import Generation

DATA = Path(__file__).parents[1] / "data"
TEXT = "the old man reads a book"
LANGUAGES = (("en", "xx"),)
LEARNED = ("opennmt/transformer", "opennmt/gru-mlp", "fairseq/post-norm", "fairseq/pre-norm")


@pytest.fixture(autouse=True)
def _few_threads() -> Iterator[None]:
    with half_of_torch_threads():
        yield


@pytest.mark.parametrize("name", LEARNED)  # the LSTM's training was too short
def test_they_learned_the_toy_language(name: str) -> None:
    model = load_source_model(DATA / f"{name}.pt", LoadOptions(languages=LANGUAGES))
    reference: Any = model.reference
    tokens = reference.generate(reference.tokenize(TEXT, "xx"), Generation(max_new_tokens=20)).tokens
    assert reference.detokenize(tokens).strip() == "der alte mann ein buch liest"


def _changed(tmp_path: Path, name: str, change: Callable[[Any], None]) -> Path:
    """A folder with the changed checkpoint and the files beside it."""
    file = DATA / f"{name}.pt"
    with torch.serialization.safe_globals([argparse.Namespace]):
        content = torch.load(file, weights_only=True)
    change(content)
    folder = tmp_path / "checkpoint"
    shutil.copytree(file.parent, folder, ignore=shutil.ignore_patterns("*.pt", "*.npz", "make.py"))
    torch.save(content, folder / "model.pt")
    return folder


def _options(**changes: Any) -> Callable[[Any], None]:
    return lambda content: vars(content.get("opt") or content["args"]).update(changes)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("opennmt/transformer", _options(copy_attn=True), "copy_attn True"),
        ("opennmt/transformer", _options(max_relative_positions=20), "max_relative_positions 20"),
        ("opennmt/transformer", _options(encoder_type="cnn"), "encoder_type 'cnn'"),
        ("opennmt/transformer", _options(transforms=["onmt_tokenize"]), "transform 'onmt_tokenize'"),
        ("opennmt/gru-mlp", _options(coverage_attn=True, bridge=True), "coverage_attn True.*bridge True"),
        ("opennmt/gru-mlp", _options(input_feed=0, context_gate="both"), "context_gate 'both'.*input_feed 0"),
        ("opennmt/gru-mlp", lambda c: c["vocab"].update(src={"fields": []}), "before OpenNMT-py 3"),
        ("fairseq/post-norm", _options(adaptive_softmax_cutoff="10,20"), "adaptive_softmax_cutoff '10,20'"),
        ("fairseq/post-norm", _options(no_cross_attention=True), "no_cross_attention"),
        ("fairseq/post-norm", lambda c: c.pop("model"), "no checkpoint of OpenNMT-py 3 or fairseq"),
    ],
)
def test_unsupported_options_are_named(tmp_path: Path, name: str, change: Callable[[Any], None], message: str) -> None:
    with pytest.raises(ExportError, match=message):
        load_source_model(_changed(tmp_path, name, change), LoadOptions(languages=LANGUAGES))


TABLE = "embeddings.make_embedding.emb_luts.0.weight"
BIAS = "encoder.layers.0.fc1.bias"
EXTRA = ("encoder.extra", "decoder.more.weight")


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("opennmt/transformer", ("decoder.layer_norm.weight", "encoder.transformer.1.self_attn.final_linear.weight")),
        ("opennmt/transformer", (f"decoder.{TABLE}", "generator.bias")),
        ("opennmt/gru-mlp", ("decoder.attn.v.weight", "decoder.rnn.layers.0.bias_hh", "encoder.rnn.weight_ih_l0")),
        ("fairseq/post-norm", ("decoder.layers.0.encoder_attn.v_proj.weight", "encoder.layers.1.fc1.weight")),
    ],
)
def test_all_missing_and_unexpected_weights_are_named(tmp_path: Path, name: str, missing: tuple[str, ...]) -> None:
    def change(content: Any) -> None:
        for weight in missing:
            part, _, rest = weight.partition(".")
            holder = content["generator"] if part == "generator" else content["model"]
            del holder[rest if part == "generator" and rest in holder else weight]
        content["model"].update({weight: torch.zeros(1) for weight in EXTRA})

    with pytest.raises(ExportError) as error:
        load_source_model(_changed(tmp_path, name, change), LoadOptions(languages=LANGUAGES))
    assert f"weights are missing: {', '.join(missing)}" in str(error.value)
    if not any(TABLE in weight for weight in missing):  # without the table, the shapes of other weights are unknown
        assert f"unexpected weights: {', '.join(sorted(EXTRA))}" in str(error.value)


def test_a_weight_of_another_shape_is_named(tmp_path: Path) -> None:
    changed = _changed(tmp_path, "fairseq/pre-norm", lambda c: c["model"].update({BIAS: torch.zeros(3)}))
    with pytest.raises(ExportError, match=r"encoder.0.feed_forward.inner.bias has shape \(3,\)"):
        load_source_model(changed, LoadOptions(languages=LANGUAGES))


def test_newer_fairseq_files_hold_their_options_in_parts(tmp_path: Path) -> None:
    def split(content: Any) -> None:
        args = vars(content.pop("args"))
        languages = {name: args.pop(name) for name in ("source_lang", "target_lang")}
        content |= {"args": None, "cfg": {"model": argparse.Namespace(**args), "task": languages, "common": None}}

    model = load_source_model(_changed(tmp_path, "fairseq/pre-norm", split))
    original = load_source_model(DATA / "fairseq" / "pre-norm.pt")
    assert (model.source_languages, model.target_languages) == (("en",), ("xx",))
    assert model.architecture.description.config == original.architecture.description.config  # type: ignore[attr-defined]


def test_one_of_several_checkpoints_in_a_folder_must_be_named() -> None:
    with pytest.raises(ExportError, match=r"several checkpoints; name one: gru-mlp.pt, lstm-general.pt"):
        load_source_model(DATA / "opennmt")


def test_code_in_a_pickle_is_not_run(tmp_path: Path) -> None:
    torch.save({"opt": Path("/"), "vocab": {}}, tmp_path / "model.pt")
    with pytest.raises(ExportError, match="--trust-pickle"):
        load_source_model(tmp_path)


def _meters() -> tuple[ModuleType, dict[str, Any]]:
    """What fairseq's trainer saves beside the weights: objects of its own classes, some of them dicts."""
    module: Any = ModuleType("fairseq.meters")
    module.AverageMeter = type("AverageMeter", (), {"__module__": module.__name__})
    module.MetersDict = type("MetersDict", (OrderedDict,), {"__module__": module.__name__})
    meter, meters = module.AverageMeter(), module.MetersDict()
    meter.sum, meter.count = torch.ones(1), 3
    meters["loss"] = meter
    return module, {"train_meters": meters, "best": meter}


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize("is_trusted", [True, False])
def test_meters_of_fairseq_are_skipped_without_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_zip: bool, is_trusted: bool
) -> None:
    file = Path(shutil.copytree(DATA / "fairseq", tmp_path / "fairseq")) / "pre-norm.pt"
    (file.parent / "post-norm.pt").unlink()
    with torch.serialization.safe_globals([argparse.Namespace]):
        content = torch.load(file)
    module, content["extra_state"] = _meters()
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "fairseq", ModuleType("fairseq"))
        patch.setitem(sys.modules, "fairseq.meters", module)
        torch.save(content, file, _use_new_zipfile_serialization=is_zip)
    model = load_source_model(file, LoadOptions(is_pickle_trusted=is_trusted))
    original = load_source_model(DATA / "fairseq" / "pre-norm.pt")
    assert model.architecture.nbytes == original.architecture.nbytes


def test_objects_of_other_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("elsewhere")
    kind = type("Thing", (), {"__module__": "elsewhere"})
    module.__dict__["Thing"] = kind
    file = tmp_path / "model.pt"
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "elsewhere", module)
        torch.save({"model": {}, "args": None, "thing": kind()}, file)
    with pytest.raises(ExportError, match="--trust-pickle"):
        load_source_model(file)
    with pytest.raises(ExportError, match="objects of the Python package elsewhere, which is not installed"):
        load_source_model(file, LoadOptions(is_pickle_trusted=True))
