"""The project's captioners: manifest, quality gate on pictures, refusals."""

import gzip
import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from regard_export.errors import ExportError
from regard_export.examples.dev_sets import read_dev_set
from regard_export.examples.pictures import example_pictures
from regard_export.exporting.export import export
from regard_export.exporting.options import ExportOptions
from regard_export.families.regard_checkpoints import captioner
from regard_models.nets.captioner_family import CaptionerConfig
from regard_service.bundle import ImageSource
from tests.unit.export.captioner_checkpoints import (
    TINY_ENCODER,
    tiny_captioner_checkpoint,
    tiny_lstm,
    tiny_transformer,
)

both_decoders = pytest.mark.parametrize("config", [tiny_lstm(), tiny_transformer()], ids=["lstm", "transformer"])


@pytest.fixture(autouse=True)
def _few_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regard_export.verification.workload.MAX_SOURCES", 3)
    monkeypatch.setattr("regard_export.verification.workload.MAX_NEW_TOKENS", 6)


def _write_dev(folder: Path) -> None:
    """Writes four generated pictures with two captions each."""
    with tarfile.open(folder / "dev.tar", "w") as archive, gzip.open(folder / "dev.jsonl.gz", "wt") as lines:
        for number, file in enumerate(example_pictures()[:4]):
            assert isinstance(file, bytes)
            member = tarfile.TarInfo(f"{number}.png")
            member.size = len(file)
            archive.addfile(member, io.BytesIO(file))
            lines.write(
                json.dumps({"image": member.name, "captions": ["Soft colours .", "No picture at all ."]}) + "\n"
            )


@both_decoders
def test_a_checkpoint_becomes_a_verified_bundle(config: CaptionerConfig, tmp_path: Path) -> None:
    tiny_captioner_checkpoint(config).save(tmp_path / "checkpoint")
    _write_dev(tmp_path)
    model = captioner.load(tmp_path / "checkpoint")
    dev = read_dev_set(tmp_path, model)
    bundle = export(model, tmp_path / "bundle", ExportOptions("tiny", "1", ("int8",), dev), lambda _: None)
    manifest = bundle.manifest
    assert manifest.task == "captioning"
    assert isinstance(manifest.source, ImageSource)
    assert manifest.source.grid == (TINY_ENCODER.grid, TINY_ENCODER.grid)
    assert manifest.max_source_tokens == manifest.source.num_positions == TINY_ENCODER.grid**2
    assert manifest.verification["passed"]
    assert manifest.verification["dev"]["num_examples"] == {"": 4}
    assert set(manifest.verification["checks"]) == {"inputs", "float32", "int8"}
    assert {spec.name for spec in manifest.variants[0].encode.inputs} == {"pixels"}


def test_dev_pictures_have_their_captions(tmp_path: Path) -> None:
    model = captioner.from_checkpoint(tiny_captioner_checkpoint(tiny_lstm()))
    with pytest.raises(ExportError, match="no dev pictures"):
        read_dev_set(tmp_path, model)
    _write_dev(tmp_path)
    [examples] = read_dev_set(tmp_path, model).values()
    assert [example.source for example in examples] == example_pictures()[:4]
    assert {example.references for example in examples} == {("Soft colours", "No picture at all")}


@both_decoders
def test_weights_that_do_not_fit_are_refused(config: CaptionerConfig) -> None:
    checkpoint = tiny_captioner_checkpoint(config)
    missing = {name: x for name, x in checkpoint.weights.items() if name != "encoder.head.bias"}
    with pytest.raises(ExportError, match=r"encoder\.head\.bias"):
        captioner.from_checkpoint(replace(checkpoint, weights=missing))
    misshapen = {**checkpoint.weights, "bridge.bias": torch.zeros(3)}
    with pytest.raises(ExportError, match=r"bridge\.bias"):
        captioner.from_checkpoint(replace(checkpoint, weights=misshapen))


def test_unknown_options_are_refused() -> None:
    checkpoint = tiny_captioner_checkpoint(tiny_lstm())
    with pytest.raises(ExportError, match="wdith"):
        captioner.from_checkpoint(replace(checkpoint, config={**checkpoint.config, "wdith": 3}))
