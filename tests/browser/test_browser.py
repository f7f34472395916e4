"""Runs the tests of the view and of the playground in a real browser: Node drives Chromium, pytest starts the server.

They need Chromium, Node and the packages of package-lock.json (`make browser`). Without them they are skipped, except
in CI. SCREENSHOTS names a folder for the screenshots.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from regard.calls.results import Result
from regard.html import save
from regard.v1 import regard_pb2 as pb
from regard.wire.encoding import decode
from regard_export.cli.commands import export_command
from tests.integration.fake_regard import encode_map
from tests.system.served import served
from tests.unit.export.detector_checkpoints import write_detector
from tests.unit.export.encoder_checkpoints import write_encoder, write_picture_classifier, write_vilt
from tests.unit.export.gated_checkpoints import write_gated_classifier
from tests.unit.regard.sample_results import caption_result, message_map, rows, text_result

HERE = Path(__file__).parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NODE = shutil.which("node")
MISSING = [
    name
    for name, is_there in (
        ("chromium", CHROMIUM),
        ("node", NODE),
        ("tests/browser/node_modules (make browser)", (HERE / "node_modules").is_dir()),
    )
    if not is_there
]
pytestmark = pytest.mark.skipif(bool(MISSING) and "CI" not in os.environ, reason=f"missing: {', '.join(MISSING)}")

HOSTILE = "</script><img src=x onerror=alert(1)><script>alert(2)</script>"


@pytest.fixture(scope="module")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    chosen = os.environ.get("SCREENSHOTS")
    return Path(chosen).absolute() if chosen else tmp_path_factory.mktemp("screenshots")


def run_tests(name: str, screenshots: Path, **environment: str) -> None:
    assert not MISSING
    command = [str(NODE), "--test", "--test-reporter=spec", str(HERE / name)]
    variables = {"CHROMIUM": str(CHROMIUM), "SCREENSHOTS": str(screenshots), **environment}
    done = subprocess.run(
        command, env=os.environ | variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def large_result() -> Result:
    """6 layers of 8 heads over 60 by 60 words."""
    words = [f"word{number}" for number in range(59)]
    result = text_result(words, words)
    [hypothesis] = result.message.hypotheses
    del hypothesis.attention[:]
    hypothesis.attention.append(message_map(pb.ATTENTION_KIND_ALIGNMENT, rows(60, 60)))
    hypothesis.attention.append(message_map(pb.ATTENTION_KIND_CROSS, rows(6, 8, 60, 60)))
    return Result.from_message(result.message)


def caption_of_a_white_picture() -> tuple[Result, bytes]:
    """Six words, each attending to one region of 2 x 3 in the middle half of a white picture."""
    grid = pb.ImageGrid(
        rows=2, columns=3, image_width=240, image_height=120, box=pb.Box(left=60, top=0, right=180, bottom=120)
    )
    file = BytesIO()
    Image.new("RGB", (240, 120), "white").save(file, "PNG")
    return caption_result("one two three four five six".split(), grid), file.getvalue()


def result_in_every_encoding() -> Result:
    """A result whose maps differ in encoding and sparsity."""
    result = text_result(["a", "b", "c", "d"], ["e", "f", "g"])
    [hypothesis] = result.message.hypotheses
    encodings = [(pb.ENCODING_UINT8, 0), (pb.ENCODING_FLOAT16, 2), (pb.ENCODING_FLOAT16, 0), (pb.ENCODING_FLOAT32, 3)]
    for sent, (encoding, top_k) in zip(hypothesis.attention, encodings, strict=True):
        encoded = encode_map(decode(sent), encoding, top_k=top_k)
        for field in ("encoding", "top_k", "scale", "data", "indices"):
            setattr(sent, field, getattr(encoded, field))
    return Result.from_message(result.message)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pages, each beside the JSON that `regard ... --json` prints."""
    folder = tmp_path_factory.mktemp("pages")
    source = "Could you tell me where the library is ?".split()
    target = "Könntest du mir sagen , wo die Bibliothek ist ?".split()
    caption, picture = caption_of_a_white_picture()
    text = text_result(source, target)
    found = text.hypotheses[0].find_map("alignment")
    assert found is not None
    alignment = found.values
    text.message.hypotheses[0].entropy.extend(-(alignment * np.log(alignment)).sum(axis=1))
    earlier = np.cumsum(alignment, axis=0) - alignment
    text.message.hypotheses[0].coverage.extend(np.minimum(alignment, earlier).sum(axis=1))
    text.message.hypotheses[0].source_coverage.extend(alignment.sum(axis=0))
    copying = text_result(source, target)
    copying.message.hypotheses[0].tokens[7].copied = True
    warned = text_result(source, target)
    warned.message.warnings.add(reason=pb.WARNING_REASON_OUTPUT_CUT, message="it was cut <b>here</b>", segment=0)
    joined = text_result(["is", "?"], ["ist", "?"])
    joined.message.hypotheses[0].text = "ist?"
    joined.message.hypotheses[0].words[1].span.CopyFrom(pb.Span(start=3, end=4))
    doubtful = text_result(source, target)
    best = doubtful.message.hypotheses[0]
    for word, probability in zip(best.words, [0.99, 0.7, 0.02, *[0.95] * 6], strict=False):
        best.word_confidences.add(span=word.span, probability=probability)
    results: dict[str, tuple[Result, bytes | None]] = {
        "text": (Result.from_message(text.message), None),
        "several": (text_result(source, target, num_hypotheses=3), None),
        "hostile": (text_result([HOSTILE, "b"], ["c", HOSTILE]), None),
        "scripts": (text_result(["שלום", "עולם", "יפה"], ["文字", "😀", "नमस्ते"]), None),
        "caption": (caption, picture),
        "copying": (copying, None),
        "joined": (joined, None),
        "warned": (warned, None),
        "doubtful": (doubtful, None),
        "large": (large_result(), None),
        "encodings": (result_in_every_encoding(), None),
    }
    for name, (result, image) in results.items():
        save(result, folder / f"{name}.html", picture=image)
        (folder / f"{name}.json").write_text(json.dumps(result.to_dict()), encoding="utf-8")
    return folder


def test_the_view(pages: Path, screenshots: Path) -> None:
    run_tests("view.test.mjs", screenshots, PAGES=str(pages))


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    """The address of a server with the shipped models."""
    with served() as server:
        yield f"http://127.0.0.1:{server.http_port}/"


@pytest.mark.parametrize("name", ["playground", "desk"])
def test_the_playground(name: str, server_url: str, screenshots: Path, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)
    Image.fromarray(pixels).resize((384, 288)).save(tmp_path / "picture.jpg")
    run_tests(f"{name}.test.mjs", screenshots, SERVER_URL=server_url, PAGES=str(tmp_path), PYTHON=sys.executable)


@pytest.fixture(scope="module")
def one_step_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with small models that answer in one step."""
    root = tmp_path_factory.mktemp("one_step")
    write_encoder(root / "checkpoints" / "labels", "bert", "ForSequenceClassification")
    write_encoder(root / "checkpoints" / "tokens", "bert", "ForTokenClassification")
    write_encoder(root / "checkpoints" / "masks", "roberta", "ForMaskedLM")
    write_encoder(root / "checkpoints" / "vectors", "bert")
    write_picture_classifier(root / "checkpoints" / "pictures", "vit")
    write_vilt(root / "checkpoints" / "answers")
    write_detector(root / "checkpoints" / "boxes", "detr")
    write_gated_classifier(root / "checkpoints" / "gates")
    for folder in sorted((root / "checkpoints").iterdir()):
        options = ["-o", str(root / "models" / folder.name), "--precision", "float32"]
        done = CliRunner().invoke(export_command, [str(folder), *options])
        assert done.exit_code == 0, done.output
    with served("--model-directories", str(root / "models"), "--default-models", "classification=labels") as server:
        yield f"http://127.0.0.1:{server.http_port}/"


def test_the_playground_for_models_of_one_step(one_step_url: str, screenshots: Path, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)
    Image.fromarray(pixels).resize((384, 288)).save(tmp_path / "picture.jpg")
    environment = {"SERVER_URL": one_step_url, "PAGES": str(tmp_path), "PYTHON": sys.executable}
    run_tests("one_step.test.mjs", screenshots, **environment)


def test_the_scripts_types() -> None:
    assert not MISSING
    command = [str(NODE), str(HERE / "node_modules/typescript/bin/tsc"), "--project", str(HERE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
