import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from regard_export.architectures.transformer import TransformerArchitecture
from regard_export.checkpoints.source_model import SourceModel
from regard_export.descriptions.transformer import TransformerDescription
from regard_export.errors import ExportError
from regard_export.examples.dev_sets import DevExample
from regard_export.exporting.export import export
from regard_export.exporting.options import ExportOptions
from regard_export.families.loading import load_source_model
from regard_export.families.regard_checkpoints import transformer
from regard_export.verification.bundle_verification import verify_bundle
from regard_export.verification.check_report import VerificationFailed
from regard_export.verification.dev_quality import Drop
from regard_service.bundle import MANIFEST, Bundle
from tests.unit.export.transformer_checkpoints import description_of, tiny_checkpoint

OPTIONS = ExportOptions("tiny", "1", ("int8",), {})


@pytest.fixture(autouse=True)
def _few_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regard_export.verification.workload.MAX_SOURCES", 3)
    monkeypatch.setattr("regard_export.verification.workload.MAX_NEW_TOKENS", 6)


@pytest.fixture
def model() -> SourceModel:
    return transformer.from_checkpoint(tiny_checkpoint())


def _damaged(model: SourceModel) -> SourceModel:
    """The same original, but a description without one of its biases."""
    description = description_of(model)
    weights = dict(description.weights)
    weights["decoder.1.cross_attention.output.bias"] = np.zeros_like(weights["decoder.1.cross_attention.output.bias"])
    damaged = TransformerDescription(description.config, weights)
    return replace(model, architecture=TransformerArchitecture(damaged))


def _silent(_: str) -> None:
    pass


def test_a_bundle_holds_the_chosen_precision_and_its_report(tmp_path, model) -> None:
    stages: list[str] = []
    bundle = export(model, tmp_path / "out", OPTIONS, stages.append)
    assert bundle.folder == tmp_path / "out"
    assert [variant.precision for variant in bundle.manifest.variants] == ["int8"]
    assert {path.name for path in bundle.folder.iterdir()} == {"int8", MANIFEST, "tokenizer.json"}
    report = bundle.manifest.verification
    assert report["passed"]
    assert bundle.manifest.num_parameters == model.architecture.nbytes // 4
    assert bundle.manifest.provenance.export_time is not None
    assert set(report["checks"]) == {"inputs", "float32", "int8"}
    assert all(check["passed"] for section in report["checks"].values() for check in section.values())
    assert "int8: building graphs" in stages
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_precisions_keep_the_callers_order(tmp_path, model) -> None:
    options = replace(OPTIONS, precisions=("int8", "float32", "int8"))
    bundle = export(model, tmp_path / "out", options, _silent)
    assert [variant.precision for variant in bundle.manifest.variants] == ["int8", "float32"]


def test_a_failed_gate_writes_nothing(tmp_path, model) -> None:
    with pytest.raises(VerificationFailed, match="largest difference of logits"):
        export(_damaged(model), tmp_path / "out", OPTIONS, _silent)
    assert list(tmp_path.iterdir()) == []


def test_an_allowed_mismatch_is_marked(tmp_path, model) -> None:
    bundle = export(_damaged(model), tmp_path / "out", replace(OPTIONS, is_mismatch_allowed=True), _silent)
    assert bundle.manifest.verification["passed"] is False


def test_an_interrupted_export_leaves_nothing(tmp_path, model) -> None:
    def interrupt(stage: str) -> None:
        # A complete bundle is in the staging folder by now, where a server must not find it.
        if stage.startswith("int8: soundness"):
            assert list(tmp_path.glob(f"*/{MANIFEST}")) == []
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(model, tmp_path / "out", OPTIONS, interrupt)
    assert list(tmp_path.iterdir()) == []


def test_an_occupied_folder_is_refused(tmp_path, model) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(ExportError, match="not an empty folder"):
        export(model, tmp_path, OPTIONS, _silent)
    with pytest.raises(ExportError, match="not an empty folder"):
        export(model, tmp_path / "note.txt", OPTIONS, _silent)
    assert (tmp_path / "note.txt").read_text() == "mine"


def test_a_value_that_no_manifest_may_hold_is_named(tmp_path, model) -> None:
    bad = replace(model, max_target_tokens=0)
    with pytest.raises(ExportError, match="a model whose output is text misses max_target_tokens above 0"):
        export(bad, tmp_path / "out", OPTIONS, _silent)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_is_accepted(tmp_path, model) -> None:
    (tmp_path / "out").mkdir()
    assert export(model, tmp_path / "out", OPTIONS, _silent).manifest.name == "tiny"


def test_a_full_disk_is_noticed_before_any_work(tmp_path, model, monkeypatch) -> None:
    usage = type("Usage", (), {"free": 2**20})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(ExportError, match="1 MiB are free"):
        export(model, tmp_path / "out", OPTIONS, _silent)


def test_a_bundle_can_be_verified_again(tmp_path, model) -> None:
    bundle = export(model, tmp_path / "out", OPTIONS, _silent)
    with_source = verify_bundle(bundle, model, {}, _silent)
    assert not with_source.failures
    assert set(with_source.sections) == {"inputs", "float32", "int8"}
    alone = verify_bundle(bundle, None, {}, _silent)
    assert not alone.failures
    assert set(alone.sections) == {"int8"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def _forcing(model: SourceModel) -> SourceModel:
    """The same model, with a forced first token for each language."""
    target = model.target.model_copy(update={"forced_first_ids": {"de": 310, "fr": 311}})
    return replace(model, target=target)


def test_outputs_begin_with_their_languages_forced_token(tmp_path, model) -> None:
    report = export(_forcing(model), tmp_path / "out", OPTIONS, _silent).manifest.verification
    assert report["passed"]
    assert report["checks"]["float32"]["outputs that do not begin with their language's forced token"]["value"] == 0


def test_verification_fails_if_graphs_and_original_ignore_the_forced_token(tmp_path, model, monkeypatch) -> None:
    monkeypatch.setattr(
        "regard_export.verification.workload.Workload.generations",
        lambda self, search: [search] * len(self.sources),
    )
    with pytest.raises(
        VerificationFailed, match="outputs that do not begin with their language's forced token is 6, more than 0"
    ):
        export(_forcing(model), tmp_path / "out", OPTIONS, _silent)
    assert list(tmp_path.iterdir()) == []


def test_verification_fails_if_the_original_ignores_the_forced_token(tmp_path, model) -> None:
    generate = model.reference.generate
    model.reference.generate = lambda source, way: generate(source, replace(way, forced_first_id=None))
    with pytest.raises(VerificationFailed, match="greedy: outputs that differ"):
        export(_forcing(model), tmp_path / "out", OPTIONS, _silent)


def test_another_models_bundle_fails(tmp_path, model) -> None:
    options = replace(OPTIONS, precisions=("float32",))
    bundle = export(transformer.from_checkpoint(tiny_checkpoint(seed=1)), tmp_path / "out", options, _silent)
    assert verify_bundle(bundle, model, {}, _silent).failures


def test_a_loss_of_bleu_on_dev_sentences_fails(tmp_path, model, monkeypatch) -> None:
    dev = {"de": [DevExample("Thank you!", ("Danke!",)), DevExample("He is ill.", ("Er ist krank.",))]}
    bundle = export(model, tmp_path / "good", replace(OPTIONS, dev=dev), _silent)
    facts = bundle.manifest.verification["dev"]
    assert set(facts) == {"num_examples", "float32_BLEU", "int8_BLEU", "int8_BLEU_drop"}
    assert set(facts["int8_BLEU_drop"]) == {"value", "plus_or_minus"}

    monkeypatch.setattr("regard_export.verification.verifier.metric_drop", lambda *_: Drop(0.6, 0.2))
    with pytest.raises(VerificationFailed, match=r"lower end of its 95 % interval is 0.4, more than 0.3"):
        export(model, tmp_path / "bad", replace(OPTIONS, dev=dev), _silent)
    monkeypatch.setattr("regard_export.verification.verifier.metric_drop", lambda *_: Drop(0.6, 0.4))
    export(model, tmp_path / "uncertain", replace(OPTIONS, dev=dev), _silent)


def test_a_checkpoints_folder_is_read(tmp_path) -> None:
    tiny_checkpoint().save(tmp_path)
    model = load_source_model(tmp_path)
    assert (model.family, model.target_languages) == (transformer.FAMILY, ("de", "fr"))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, "there is no config.json"),
        ("{", "is not JSON"),
        (json.dumps({"model_type": "mamba"}), "unknown architecture 'mamba'; known are .*regard-transformer"),
        (json.dumps({"family": transformer.FAMILY}), "lacks model.safetensors, tokenizer.json, card.json"),
    ],
)
def test_a_folder_without_a_checkpoint_is_refused(tmp_path: Path, config: str | None, message: str) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    with pytest.raises(ExportError, match=message):
        load_source_model(tmp_path)


def test_unknown_options_are_named() -> None:
    checkpoint = tiny_checkpoint()
    checkpoint.config.update(rotary=True, experts=8)
    with pytest.raises(ExportError, match="unsupported options: experts, rotary"):
        transformer.from_checkpoint(checkpoint)


def test_models_with_few_positions_are_verified_within_them(tmp_path) -> None:
    checkpoint = tiny_checkpoint(max_positions=5)
    del checkpoint.card["max_target_tokens"]
    assert (
        export(transformer.from_checkpoint(checkpoint), tmp_path / "out", OPTIONS, _silent).manifest.max_target_tokens
        == 5
    )


def test_a_moved_bundle_loads(tmp_path, model) -> None:
    export(model, tmp_path / "out", OPTIONS, _silent).folder.rename(tmp_path / "elsewhere")
    assert Bundle.load(tmp_path / "elsewhere").manifest.name == "tiny"
