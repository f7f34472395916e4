"""Models as messages."""

from dataclasses import asdict, replace
from datetime import UTC, datetime

from regard.v1 import regard_pb2 as pb
from regard_service.bundle import ImageSource
from regard_service.convert.models import write_model
from regard_service.domain.calls import GenerationOptions
from tests.integration.fake_backend import DAMAGED, MANIFEST, READY


def test_a_model_is_described_by_its_manifest() -> None:
    model = write_model(READY)
    assert (model.name, model.version, model.task, model.family) == (
        "everyday",
        "2",
        pb.TASK_TRANSLATION,
        "transformer",
    )
    assert (list(model.source_languages), list(model.target_languages)) == (["en"], ["de", "fr"])
    assert (model.max_source_tokens, model.max_new_tokens) == (256, 200)
    assert (model.provider, model.precision, model.size_bytes) == ("cpu", "int8", 1000)
    assert (model.generation_defaults.num_beams, model.generation_defaults.max_new_tokens) == (4, 128)
    assert not model.generation_defaults.HasField("temperature")
    assert set(model.generation_options) == set(asdict(GenerationOptions()))
    assert [(kind.kind, kind.num_layers, kind.num_heads) for kind in model.attention_kinds] == [
        (pb.ATTENTION_KIND_CROSS, 2, 4),
        (pb.ATTENTION_KIND_ALIGNMENT, 2, 4),
    ]
    assert [(head.layer, head.head) for head in model.alignment_heads] == [(1, 0)]
    assert model.provenance.data_license == "CC-BY-2.0-FR"
    assert not model.provenance.HasField("export_time")
    assert model.default_truncation == pb.TRUNCATION_REJECT
    assert dict(model.scores) == {"bleu/tatoeba-dev/de": 38.5}


def test_the_facts_of_the_export_are_written() -> None:
    exported = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
    provenance = MANIFEST.provenance.model_copy(update={"exporter_version": "0.1.0", "export_time": exported})
    update = {"provenance": provenance, "num_parameters": 12_345, "default_truncation": "truncate"}
    model = write_model(replace(READY, manifest=MANIFEST.model_copy(update=update)))
    assert model.num_parameters == 12_345
    assert model.default_truncation == pb.TRUNCATION_TRUNCATE
    assert model.provenance.exporter_version == "0.1.0"
    assert model.provenance.export_time.ToDatetime(UTC) == exported


def test_a_model_says_what_it_is_good_for_and_whether_it_is_a_demonstration() -> None:
    assert not write_model(READY).is_demonstration
    described = MANIFEST.model_copy(update={"description": "sentences of the sea"})
    model = write_model(replace(READY, manifest=described, is_demonstration=True))
    assert (model.description, model.is_demonstration) == ("sentences of the sea", True)


PICTURES = ImageSource(height=8, width=8, mean=(0, 0, 0), std=(1, 1, 1), resize="squash", grid=(1, 1))


def test_captioners_have_no_truncation() -> None:
    model = write_model(replace(READY, manifest=MANIFEST.model_copy(update={"task": "captioning", "source": PICTURES})))
    assert (model.default_truncation, model.max_source_tokens) == (pb.TRUNCATION_UNSPECIFIED, 0)


def test_a_refused_model_has_its_reasons() -> None:
    model = write_model(DAMAGED)
    assert (model.name, model.state, list(model.state_reasons)) == (
        "damaged",
        pb.MODEL_STATE_FAILED,
        ["int8/step.onnx: is missing"],
    )
