"""Detect over gRPC and HTTP, against `transformers` on the same checkpoints."""

import asyncio
import base64
import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import torch
import transformers
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

import regard
from regard.cli import main
from regard_export.cli.commands import export_command
from regard_service.app.settings import Settings
from regard_service.open_inference import open_inference_pb2 as v2
from regard_service.open_inference import open_inference_pb2_grpc as v2_grpc
from tests.integration.conftest import running
from tests.unit.export.detector_checkpoints import KINDS, SIDE, write_detector, write_yolos
from tests.waiting import PATIENCE_S

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Served:
    """A server's client, its ports, and the checkpoints that its models were exported from."""

    client: regard.Client
    grpc_port: int
    http_port: int
    checkpoints: Path

    def original(self, kind: str) -> Any:
        net = getattr(transformers, f"{KINDS[kind]}ForObjectDetection")
        return net.from_pretrained(self.checkpoints / kind, attn_implementation="eager").eval()

    def ask(self, body: object) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=PATIENCE_S)
        try:
            connection.request("POST", "/v1/detect", json.dumps(body), {"content-type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("detect")
    for kind in ("detr", "conditional_detr"):
        write_detector(root / "checkpoints" / kind, kind)
    write_yolos(root / "checkpoints" / "yolos", has_positions_between=False)
    for folder in sorted((root / "checkpoints").iterdir()):
        out = ["-o", str(root / "models" / folder.name), "--precision", "float32"]
        result = CliRunner().invoke(export_command, [str(folder), *out])
        assert result.exit_code == 0, result.output
    settings = Settings(
        grpc_port=0,
        http_port=0,
        model_directories=(root / "models",),
        num_workers=2,
        open_inference=True,
        default_models={"detection": "detr"},
    )
    with running(settings) as server, regard.Client(f"127.0.0.1:{server.grpc_port}") as client:
        yield Served(client, server.grpc_port, server.http_port, root / "checkpoints")


def picture(seed: int = 0, size: tuple[int, int] = (SIDE, SIDE)) -> Picture:
    """uint8 [*size, 3]: height and width."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize(size[::-1]))


def as_pixels(image: Picture) -> torch.Tensor:
    """As DETR's image processor normalizes a picture of the net's own size."""
    mean, std = np.array([0.485, 0.456, 0.406]) * 255, np.array([0.229, 0.224, 0.225]) * 255
    return torch.tensor(((image - mean) / std).transpose(2, 0, 1)[None], dtype=torch.float32)


def png(image: Picture) -> bytes:
    stream = BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


@torch.inference_mode()
@pytest.mark.parametrize("kind", ["detr", "conditional_detr"])
def test_objects_are_those_of_the_original_s_own_post_processing(kind: str, served: Served) -> None:
    image, threshold = picture(1), 0.25
    net = served.original(kind)
    processor = transformers.AutoImageProcessor.from_pretrained(served.checkpoints / kind)
    if kind == "conditional_detr":
        processor = transformers.ConditionalDetrImageProcessorPil()
    (expected,) = processor.post_process_object_detection(
        net(pixel_values=as_pixels(image)), threshold=threshold, target_sizes=[(SIDE, SIDE)]
    )
    result = served.client.detect(image, model=kind, threshold=threshold)
    order = expected["scores"].argsort(descending=True, stable=True)
    assert len(result.detections) == len(order) > 1
    assert [each.score for each in result.detections] == pytest.approx(expected["scores"][order].tolist(), abs=1e-4)
    labels = [net.config.id2label[int(label)] for label in expected["labels"][order]]
    assert [each.label for each in result.detections] == labels
    boxes = expected["boxes"][order].clamp(0, SIDE).numpy()
    np.testing.assert_allclose([each.box for each in result.detections], boxes, atol=1e-4 * SIDE)


@torch.inference_mode()
def test_each_object_has_its_query_s_attention_over_the_picture(served: Served) -> None:
    image = picture(1)
    expected = served.original("detr")(pixel_values=as_pixels(image), output_attentions=True)
    result = served.client.detect(image, threshold=0.2, attention=["alignment", "cross", "encoder_self"])
    queries = [each.query for each in result.detections]
    assert len(queries) > 1
    cross, own = result.input.find_map("cross"), result.input.find_map("encoder_self")
    assert cross is not None
    assert own is not None
    weights = torch.cat(expected.cross_attentions).numpy()[:, :, queries]
    np.testing.assert_allclose(cross.values, weights, atol=1e-4)
    np.testing.assert_allclose(own.values, torch.cat(expected.encoder_attentions).numpy(), atol=1e-4)
    for index in range(len(queries)):
        of_last_layer = weights[-1, :, index].mean(axis=0).reshape(13, 13)
        np.testing.assert_allclose(result.map_of(index), of_last_layer, atol=1e-4)
    chosen = served.client.detect(image, threshold=0.2, attention="cross", layers=[1], heads=[3, 0]).input
    np.testing.assert_allclose(chosen.attention[0].values, weights[1:, [3, 0]], atol=1e-4)
    weighed = served.client.detect(image, threshold=0.2, attention="alignment", weighting="value_norm")
    assert not np.allclose(weighed.map_of(0), result.map_of(0))
    with pytest.raises(IndexError):
        result.map_of(len(queries))
    with pytest.raises(ValueError, match="asks for no alignment"):
        served.client.detect(image).map_of(0)


@torch.inference_mode()
def test_an_explanation_of_each_object_hides_what_its_evidence_points_at(served: Served) -> None:
    image, net = picture(1), served.original("detr")
    result = served.client.detect(image, threshold=0.2, top_k=2, attention="alignment", explain=["alignment", "random"])
    assert len(result.detections) == 2
    normal = as_pixels(image)

    def score(is_hidden: NDArray[np.bool_], found: regard.Detection) -> float:
        """The highest score of the object's label in a box at its place, by the original."""
        place = np.arange(SIDE) * 13 // SIDE
        mean = normal.mean(dim=(2, 3), keepdim=True)
        output = net(pixel_values=torch.where(torch.tensor(is_hidden.reshape(13, 13)[place][:, place]), mean, normal))
        columns = [column for column, label in net.config.id2label.items() if label == found.label]
        scores = output.logits[0].softmax(dim=-1)[:, columns].numpy().max(axis=1)
        centre, sides = output.pred_boxes[0, :, :2].numpy(), output.pred_boxes[0, :, 2:].numpy()
        boxes = np.concatenate([centre - sides / 2, centre + sides / 2], axis=1).clip(0, 1) * SIDE
        shared = np.minimum(boxes[:, 2:], found.box[2:]) - np.maximum(boxes[:, :2], found.box[:2])
        both = shared.clip(0).prod(axis=1)
        union = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + found.box.width * found.box.height - both
        return float(scores[both >= union / 2].max(initial=0))

    for index, found in enumerate(result.detections):
        alignment, random = found.explanations
        np.testing.assert_allclose(alignment.scores, result.map_of(index).ravel(), atol=1e-6)
        assert alignment.probability == pytest.approx(score(np.zeros(169, np.bool_), found), abs=1e-4)
        for each in (alignment, random):
            assert (each.label, each.num_runs) == (found.label, 10)
            order = np.argsort(-each.scores, kind="stable")
            for erasure in each.erasures:
                is_top = np.isin(np.arange(169), order[: erasure.num_erased])
                assert erasure.without == pytest.approx(score(is_top, found), abs=1e-4)
                assert erasure.alone == pytest.approx(score(~is_top, found), abs=1e-4)


def test_objects_of_one_label_are_explained_and_others_stay(served: Served) -> None:
    every = served.client.detect(picture(1), threshold=0.2)
    label = every.detections[0].label
    asked = served.client.detect(picture(1), threshold=0.2, explain="value_norm", explain_label=label)
    assert [each.label for each in asked.detections] == [each.label for each in every.detections]
    assert [bool(each.explanations) for each in asked.detections] == [each.label == label for each in every.detections]
    nothing = served.client.detect(picture(1), threshold=1, explain=["alignment", "occlusion"])
    assert nothing.detections == ()
    with pytest.raises(regard.InvalidArgument, match=r"explain: would take .*; the limit is 2048; .* a smaller top_k"):
        served.client.detect([picture(1)] * 16, threshold=0.2, explain="occlusion")


def test_tokens_of_a_vision_transformer_have_maps_behind_the_other_positions(served: Served) -> None:
    result = served.client.detect(picture(2, (64, 96)), model="yolos", threshold=0, attention=["alignment", "cross"])
    grid = result.input.image_grid
    assert grid is not None
    assert (grid.rows, grid.columns, grid.first_position) == (2, 3, 6)
    assert result.input.attention[0].shape == (len(result.detections), 12)
    np.testing.assert_allclose(result.input.attention[1].values.sum(axis=-1), 1, atol=1e-5)
    assert result.map_of(0).shape == (2, 3)


def test_boxes_are_in_the_pixels_of_the_picture_that_was_sent(served: Served) -> None:
    small = picture(3)
    large = np.asarray(Image.fromarray(small).resize((3 * SIDE, 2 * SIDE), Image.Resampling.NEAREST))
    one, other = served.client.detect([small, large], threshold=0.2)
    assert one.detections
    for a, b in zip(one.detections, other.detections, strict=True):
        assert a.label == b.label
        np.testing.assert_allclose(np.array(a.box) * [3, 2, 3, 2], b.box, atol=6)  # the filter smooths the edges
    assert one.detections[0].box.width == pytest.approx(one.detections[0].box.right - one.detections[0].box.left)


def test_no_object_is_an_answer(served: Served) -> None:
    grey = np.full((1, 50, 3), 128, np.uint8)
    result = served.client.detect(grey, threshold=1.0, attention=["alignment", "cross"])
    assert result.detections == ()
    assert "nothing" in repr(result)
    assert [each.values.shape for each in result.input.attention] == [(0, 169), (2, 4, 0, 169)]
    sparse = served.client.detect(grey, threshold=1.0, attention="alignment", attention_top_k=2)
    assert sparse.input.attention[0].values.shape == (0, 169)


def test_labels_and_numbers_choose_among_the_objects(served: Served) -> None:
    every = served.client.detect(picture(1), threshold=0.2)
    label = every.detections[-1].label
    chosen = served.client.detect(picture(1), threshold=0.2, labels=[label])
    assert [each.query for each in chosen.detections] == [e.query for e in every.detections if e.label == label]
    assert served.client.detect(picture(1), threshold=0.2, top_k=2).detections == every.detections[:2]


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"threshold": 1.5}, r"threshold: must be in \[0, 1\]; it is 1.5"),
        ({"threshold": -0.1}, r"threshold: must be in \[0, 1\]"),
        ({"top_k": 0}, r"top_k: must be in \[1, 1000\]; it is 0"),
        ({"labels": ["cow"]}, r"labels\[0\]: 'cow' is no label of model 'detr'; it has cat, dog, N/A, N/A"),
        ({"attention": "rollout"}, r"rollout is not offered by model 'detr'; it offers alignment, cross, encoder_self"),
        ({"attention": "alignment", "alignment_method": "shifted"}, "shifted is for outputs that are written step by"),
        ({"attention": "alignment", "weighting": "contribution"}, "carries no contributions for alignment"),
        ({"attention": "cross", "layers": [2]}, "model 'detr' has 2 layers"),
        (
            {"explain": "rollout"},
            "rollout is not offered by model 'detr'; it offers alignment, value_norm, occlusion, ran",
        ),
        ({"explain": "random", "explain_label": "cow"}, "explain.label: 'cow' is no label of model 'detr'"),
    ],
)
def test_what_cannot_be_is_refused_in_words(options: dict[str, Any], fault: str, served: Served) -> None:
    with pytest.raises(regard.InvalidArgument, match=fault):
        served.client.detect(picture(), **options)


def test_maps_that_are_too_large_are_refused_with_advice_that_a_detection_can_follow(served: Served) -> None:
    with pytest.raises(regard.InvalidArgument, match=r"max_message_bytes, .* layers or heads, fewer inputs$"):
        served.client.detect([picture()] * 128, threshold=1, attention=["cross", "encoder_self"])


def test_other_inputs_and_models_are_refused_in_words(served: Served) -> None:
    with pytest.raises(regard.InvalidArgument, match=r"images\[0\]: is not a JPEG, PNG or WebP file"):
        served.client.detect(b"no picture")
    with pytest.raises(regard.NotFound, match="no model 'detr' for classification"):
        served.client.classify_images(picture(), model="detr")
    with pytest.raises(regard.NotFound, match="no model 'cow' for detection; there are: conditional_detr, detr, yolos"):
        served.client.detect(picture(), model="cow")


def test_the_json_api_and_the_asyncio_client_answer_the_same(served: Served) -> None:
    image, expected = picture(1), served.client.detect(picture(1), threshold=0.2, attention="alignment")
    body = {
        "images": [base64.b64encode(png(image)).decode()],
        "threshold": 0.2,
        "attention": {"kinds": ["alignment"], "encoding": "json"},
    }
    status, answer = served.ask(body)
    assert status == 200
    (result,) = answer["results"]
    assert [each["label"] for each in result["detections"]] == [each.label for each in expected.detections]
    np.testing.assert_allclose(result["input"]["attention"][0]["data"], expected.input.attention[0].values, atol=1e-6)
    status, answer = served.ask({**body, "threshold": 2})
    assert status == 400
    assert "threshold" in json.dumps(answer)

    async def run() -> list[regard.DetectResult]:
        async with regard.AsyncClient(f"127.0.0.1:{served.grpc_port}") as client:
            return await client.detect([image, picture(2)], threshold=0.2)

    one, _ = asyncio.run(run())
    assert one.detections == expected.detections


def test_the_command_prints_a_line_for_each_object(served: Served, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.png", "b.png")]
    for seed, file in enumerate(files):
        file.write_bytes(png(picture(seed + 1)))
    server = ["--server", f"127.0.0.1:{served.grpc_port}"]
    result = CliRunner().invoke(main, ["detect", str(files[0]), "--threshold", "0.2", *server])
    assert result.exit_code == 0, result.output
    expected = served.client.detect(files[0], threshold=0.2).detections
    assert len(result.stdout.splitlines()) == len(expected)
    first = expected[0]
    assert result.stdout.startswith(f"{first.label} {first.score:.3f}  {first.box.left:.1f} {first.box.top:.1f} ")
    both = CliRunner().invoke(main, ["detect", *map(str, files), "--threshold", "0.2", *server])
    assert {line.split(": ")[0] for line in both.stdout.splitlines()} == set(map(str, files))
    as_json = CliRunner().invoke(main, ["detect", str(files[0]), "--json", "--kind", "alignment", *server])
    assert json.loads(as_json.stdout)["input"]["attention"][0]["kind"] == "ATTENTION_KIND_ALIGNMENT"
    explained = CliRunner().invoke(
        main, ["detect", str(files[0]), "--threshold", "0.2", "--explain", "random", *server]
    )
    assert explained.stdout.splitlines()[::2] == result.stdout.splitlines()
    assert all(line.startswith("  random: comprehensiveness ") for line in explained.stdout.splitlines()[1::2])
    nothing = CliRunner().invoke(main, ["detect", str(files[0]), "--threshold", "1", *server])
    assert (nothing.exit_code, nothing.stdout) == (0, "")


def test_a_picture_that_fails_costs_the_command_no_other(served: Served, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(picture(1)))
    (tmp_path / "b.png").write_text("no picture")
    good, bad, missing = (str(tmp_path / name) for name in ("a.png", "b.png", "c.png"))
    server = ["--server", f"127.0.0.1:{served.grpc_port}", "--threshold", "0.2"]
    result = CliRunner().invoke(main, ["detect", missing, bad, good, *server])
    assert {line.split(": ")[0] for line in result.stdout.splitlines()} == {good}
    assert result.stderr.splitlines() == [
        f"regard: {missing}: No such file or directory",
        f"regard: {bad}: INVALID_ARGUMENT: images[0]: is not a JPEG, PNG or WebP file",
    ]
    assert result.exit_code == 1
    alone = CliRunner().invoke(main, ["detect", bad, *server])
    assert alone.stderr.startswith(f"regard: {bad}: INVALID_ARGUMENT: ")


def test_models_state_what_they_find(served: Served) -> None:
    model = next(each for each in served.client.models() if each.name == "detr")
    assert model.task == "detection"
    assert list(model.message.labels) == ["cat", "dog", "N/A", "N/A"]
    assert (model.message.num_queries, model.message.labels_exclude_each_other) == (7, True)
    assert (model.message.reads_pictures, model.message.value_norms) == (True, True)


def test_the_open_inference_protocol_has_padded_boxes(served: Served) -> None:
    images = [png(picture(1)), png(np.zeros((20, 20, 3), np.uint8))]
    asked = v2.ModelInferRequest(model_name="detr")
    asked.parameters["threshold"].double_param = 0.3
    asked.parameters["top_k"].int64_param = 3
    asked.inputs.add(name="image", datatype="BYTES", shape=[2]).contents.bytes_contents.extend(images)
    with grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}") as channel:
        stub = v2_grpc.GRPCInferenceServiceStub(channel)
        answer = stub.ModelInfer(asked)
        asked.parameters["num_beams"].int64_param = 2
        with pytest.raises(grpc.RpcError, match="num_beams: is not known; there are priority, top_k, thres"):
            stub.ModelInfer(asked)
    results = served.client.detect([*images], threshold=0.3, top_k=3)
    numbers = [len(result.detections) for result in results]
    raw = {tensor.name: content for tensor, content in zip(answer.outputs, answer.raw_output_contents, strict=True)}
    assert np.frombuffer(raw["num_boxes"], "<i4").tolist() == numbers
    boxes = np.frombuffer(raw["boxes"], "<f4").reshape(2, max(numbers), 4)
    for row, result in zip(boxes, results, strict=True):
        expected = np.zeros((max(numbers), 4), np.float32)
        expected[: len(result.detections)] = np.array([each.box for each in result.detections]).reshape(-1, 4)
        np.testing.assert_allclose(row, expected, atol=1e-4)
