"""Captioners of `transformers` and of our own, exported by the command and served: what the originals say."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import regard
from export import families
from export.cli import export_command
from export.reference import half_of_the_threads
from models.bundle import Bundle
from service.engine.request import Generation
from service.pipelines.image import ImageReader
from service.settings import Settings
from tests.integration.conftest import running
from tests.unit.export.encoder_decoder_checkpoints import tiny_checkpoint, tiny_prompted
from tests.unit.export.vision_checkpoints import write_blip, write_vision

PHOTOGRAPHS = [Path("docs/examples/photos") / name for name in ("cat.jpg", "coffee.jpg", "rocket.jpg")]
# Their layers, heads and positions before the 9 or 6 of the grid.
MODELS = {"vit-gpt2": (2, 4, 1), "swin-trocr": (2, 4, 0), "blip": (2, 4, 1), "prompted": (2, 4, 4)}


@pytest.fixture(scope="module", autouse=True)
def _few_threads() -> Iterator[None]:
    with half_of_the_threads():
        yield


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints")
    write_vision(folder / "vit-gpt2")
    write_vision(folder / "swin-trocr", encoder="swin", decoder="trocr")
    write_blip(folder / "blip")
    tiny_checkpoint(tiny_prompted()).save(folder / "prompted")
    return folder


@pytest.fixture(scope="module")
def bundles(checkpoints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("export.verify.NUM_SENTENCES", 2)
        patch.setattr("export.verify.MAX_NEW_TOKENS", 6)
        for name in MODELS:
            options = ["-o", str(folder / name), "--precision", "float32", "--name", name]
            result = CliRunner().invoke(export_command, [str(checkpoints / name), "--task", "captioning", *options])
            assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def client(bundles: Path) -> Iterator[regard.Client]:
    with (
        running(Settings(grpc_port=0, http_port=0, model_directories=(bundles,))) as server,
        regard.Client(f"127.0.0.1:{server.grpc_port}") as client,
    ):
        yield client


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("name", MODELS)
def test_captions_are_the_originals(client, checkpoints, bundles, name: str, beams: int) -> None:
    original, reader = families.load(checkpoints / name), ImageReader(Bundle.load(bundles / name).manifest.source)
    layers, heads, first_position = MODELS[name]
    files = [photograph.read_bytes() for photograph in PHOTOGRAPHS]
    options = {"model": name, "num_beams": beams, "max_new_tokens": 8, "attention": ["cross"]}
    results = client.caption(files, **options)
    for file, result in zip(files, results, strict=True):
        pixels = reader.read(file, field="image").array
        expected = original.reference.generate(pixels, Generation(8, beams))
        assert [token.id for token in result.best.tokens] == expected.tokens
        grid, cross = result.image_grid, result.best.find_map("cross")
        assert grid.first_position == first_position
        num_positions = first_position + grid.rows * grid.columns
        assert cross.shape == (layers, heads, len(expected.tokens), num_positions)
        forced = original.reference.force(pixels, [original.target.start_id, *expected.tokens[:-1]])
        np.testing.assert_allclose(cross.values, forced.cross_attention, atol=1e-3)


def test_self_attention_over_the_grid(client, bundles) -> None:
    """Where there is a trace, from every position to every position; elsewhere, a refusal that says what there is."""
    photograph = PHOTOGRAPHS[0].read_bytes()
    result = client.caption(photograph, model="blip", max_new_tokens=8, attention=["encoder_self", "rollout"])
    rolled = result.best.find_map("rollout")
    assert result.source_attention[0].shape == (2, 4, 10, 10)
    assert rolled.shape == (len(result.best.tokens), 10)
    np.testing.assert_allclose(result.source_attention[0].values.sum(-1), 1, atol=1e-3)
    with pytest.raises(regard.RegardError, match="encoder_self"):
        client.caption(photograph, model="prompted", attention=["encoder_self"])
