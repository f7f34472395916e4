"""The captioner's recipe from pictures to a checkpoint, with a tiny encoder: both phases, and continued training."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest
import torch
from PIL import Image

from regard_models.checkpoint import Checkpoint
from regard_models.nets.captioner_family import build, load_weights, read_config
from regard_models.nets.efficientnet import EfficientNet
from regard_models.recipes import captioner as recipe
from tests.unit.export.captioner_checkpoints import TINY_ENCODER, tiny_lstm, tiny_transformer

COLOURS = {"red": (220, 20, 20), "green": (20, 200, 30), "blue": (10, 40, 230), "white": (250, 250, 250)}
VOCAB_SIZE = 320
NUM_STEPS = 3


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Pictures of one colour, and captions that name it."""
    folder = tmp_path / "data"
    folder.mkdir()
    for split in ("train", "dev"):
        with (
            tarfile.open(folder / f"{split}.tar", "w") as archive,
            gzip.open(folder / f"{split}.jsonl.gz", "wt") as lines,
        ):
            for name, colour in COLOURS.items():
                stream = io.BytesIO()
                size = TINY_ENCODER.image_size
                Image.new("RGB", (size, size), colour).save(stream, format="JPEG")
                member = tarfile.TarInfo(f"{name}.jpg")
                member.size = stream.tell()
                archive.addfile(member, io.BytesIO(stream.getvalue()))
                captions = [f"A {name} wall .", f"The wall on the left is {name} ."]
                lines.write(json.dumps({"image": member.name, "captions": captions}) + "\n")
    return folder


@pytest.fixture(params=["transformer", "lstm", "lstm-hard"])
def decoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A small version of each of the recipe's decoders."""
    torch.manual_seed(0)
    encoder = EfficientNet(TINY_ENCODER).eval()
    configs = {
        "transformer": tiny_transformer(vocab_size=VOCAB_SIZE, encoder_layers=1, decoder_layers=1),
        "lstm": tiny_lstm(vocab_size=VOCAB_SIZE),
        "lstm-hard": tiny_lstm(vocab_size=VOCAB_SIZE, attention="hard"),
    }
    assert configs.keys() == recipe.CONFIGS.keys()
    monkeypatch.setattr(recipe, "CONFIGS", configs)
    monkeypatch.setattr(recipe, "VOCAB_SIZE", VOCAB_SIZE)
    monkeypatch.setattr(recipe, "published_encoder", lambda: encoder)
    return str(request.param)


def _run(monkeypatch: pytest.MonkeyPatch, data: Path, out: Path, decoder: str) -> None:
    """The command line."""
    arguments = ["--data", data, "--out", out, "--decoder", decoder, "--device", "cpu", "--feature-dropout", 0]
    budget = ["--steps", NUM_STEPS, "--reinforced-steps", NUM_STEPS]
    monkeypatch.setattr("sys.argv", ["captioner", *map(str, arguments + budget)])
    recipe.main()


def test_recipe_ends_in_a_checkpoint_and_goes_on_from_its_state(
    data: Path, decoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    _run(monkeypatch, data, out, decoder)
    checkpoint = Checkpoint.load(out)
    net = build(read_config(checkpoint.config))
    load_weights(net, checkpoint.weights)
    assert checkpoint.card["task"] == "captioning"
    assert set(checkpoint.card["scores"]) == {f"bleu{order}/flickr8k-dev" for order in (1, 2, 3, 4)}
    steps = {phase: state["steps"] for phase, state in checkpoint.card["training"].items()}
    assert steps == {"written": NUM_STEPS, "reinforced": NUM_STEPS}
    features = {file.name: file.stat().st_mtime_ns for file in (out / "features").iterdir()}
    assert set(features) == {"train.npy", "train_mirrored.npy", "dev.npy"}

    _run(monkeypatch, data, out, decoder)  # the budget is spent: nothing is computed or learnt again
    again = Checkpoint.load(out)
    assert {phase: state["steps"] for phase, state in again.card["training"].items()} == steps
    assert {file.name: file.stat().st_mtime_ns for file in (out / "features").iterdir()} == features
