"""Questions about pictures over gRPC and HTTP, against ViLT of `transformers` on the same checkpoint."""

import asyncio
import base64
import http.client
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
from regard.wire.images import ImageLike
from regard_export.cli.commands import export_command
from regard_service.app.settings import Settings
from regard_service.open_inference import open_inference_pb2 as v2
from regard_service.open_inference import open_inference_pb2_grpc as v2_grpc
from tests.integration.conftest import running
from tests.unit.export.encoder_checkpoints import LABELS, write_encoder, write_vilt
from tests.waiting import PATIENCE_S

QUESTIONS = ["Where is the dog?", "Is the man here?", "Who has the red book of the children?"]
SIDE = 64  # of pictures that need no resizing


def picture(seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


def as_png(pixels: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


@dataclass(frozen=True)
class Served:
    """A server of a ViLT: its client and its ports, and the original."""

    client: regard.Client
    grpc_port: int
    http_port: int
    net: Any
    tokenizer: Any

    def post(self, body: object) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=PATIENCE_S)
        try:
            connection.request("POST", "/v1/answer", json.dumps(body), {"content-type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def chances(self, pixels: NDArray[np.uint8], question: str) -> dict[str, float]:
        """The original's probabilities by label."""
        normal = torch.tensor((pixels.transpose(2, 0, 1) / 127.5 - 1)[None], dtype=torch.float32)
        ids = self.tokenizer(question, return_tensors="pt").input_ids
        with torch.inference_mode():
            chances = self.net(input_ids=ids, pixel_values=normal).logits[0].sigmoid().tolist()
        return dict(zip(LABELS.values(), chances, strict=True))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("answer")
    checkpoints = [write_vilt(root / "vilt"), write_encoder(root / "bert", "bert", "ForSequenceClassification")]
    for folder in checkpoints:
        out = ["-o", str(root / "models" / folder.name), "--precision", "float32"]
        result = CliRunner().invoke(export_command, [str(folder), *out])
        assert result.exit_code == 0, result.output
    net = transformers.ViltForQuestionAnswering.from_pretrained(checkpoints[0]).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoints[0])
    settings = Settings(
        grpc_port=0, http_port=0, model_directories=(root / "models",), num_workers=2, open_inference=True
    )
    with running(settings) as server, regard.Client(f"127.0.0.1:{server.grpc_port}") as client:
        yield Served(client, server.grpc_port, server.http_port, net, tokenizer)


def _chances(result: regard.AnswerResult) -> dict[str, float]:
    return {score.label: score.probability for score in result.labels}


def test_answers_are_the_originals_each_label_by_itself(served: Served) -> None:
    for seed, question in enumerate(QUESTIONS):
        result = served.client.answer(picture(seed), question)
        expected = served.chances(picture(seed), question)
        assert _chances(result) == pytest.approx(expected, abs=1e-4)
        assert result.answer == max(expected, key=lambda label: expected[label])
        assert result.input.num_tokens == len(served.tokenizer(question).input_ids) + 17


def test_one_picture_goes_with_all_questions_and_one_question_with_all_pictures(served: Served) -> None:
    def check(results: Sequence[regard.AnswerResult], pairs: list[tuple[int, str]]) -> None:
        for result, (seed, question) in zip(results, pairs, strict=True):
            assert _chances(result) == pytest.approx(served.chances(picture(seed), question), abs=1e-4)

    pictures: list[ImageLike] = [picture(seed) for seed in range(3)]
    check(served.client.answer(picture(), QUESTIONS), [(0, question) for question in QUESTIONS])
    check(served.client.answer(pictures, QUESTIONS[0]), [(seed, QUESTIONS[0]) for seed in range(3)])
    check(served.client.answer(pictures, QUESTIONS), list(enumerate(QUESTIONS)))
    with pytest.raises(regard.InvalidArgument, match="questions: are 2 beside 3 images; there must be equally many"):
        served.client.answer(pictures, QUESTIONS[:2])


def test_maps_lie_between_the_questions_words_and_the_picture(served: Served) -> None:
    question = QUESTIONS[2]
    result = served.client.answer(picture(), question, attention=["encoder_self", "rollout"])
    tokens, grid = result.input.source_tokens, result.input.image_grid
    assert [token.piece for token in tokens] == served.tokenizer.convert_ids_to_tokens(
        served.tokenizer(question).input_ids
    )
    assert grid is not None
    assert (grid.rows, grid.columns, grid.first_position) == (4, 4, len(tokens) + 1)
    size = grid.first_position + 16
    own, rolled = result.input.find_map("encoder_self"), result.input.find_map("rollout")
    assert own is not None
    assert rolled is not None
    assert own.shape == (2, 2, size, size)
    np.testing.assert_allclose(own.values.sum(axis=-1), 1, atol=1e-5)
    expected = np.eye(size)
    for layer in own.values.mean(axis=1):
        expected = 0.5 * expected + 0.5 * layer @ expected
    np.testing.assert_allclose(rolled.values, expected, atol=1e-4)
    over_picture, over_words = result.question_over_picture(own.values), result.picture_over_question(rolled.values)
    assert over_picture.shape == (2, 2, len(tokens), 4, 4)
    assert over_words.shape == (4, 4, len(tokens))
    assert over_picture[1, 0, 2, 3, 1] == own.values[1, 0, 2, len(tokens) + 1 + 13]
    assert over_words[3, 1, 2] == rolled.values[len(tokens) + 1 + 13, 2]
    with pytest.raises(ValueError, match=f"axes of {size} x {size}"):
        result.question_over_picture(own.values[..., :3])


def test_words_replace_the_questions_tokens_and_leave_the_pictures_positions(served: Served) -> None:
    tokens = served.client.answer(picture(), QUESTIONS[2], attention="rollout")
    words = served.client.answer(picture(), QUESTIONS[2], attention="rollout", words=True)
    grid, read = words.input.image_grid, words.input
    assert grid is not None
    assert len(read.source_words) < len(read.source_tokens)
    assert grid.first_position == len(read.source_words) + 1
    by_word, by_token = read.attention[0], tokens.input.attention[0]
    assert by_word.granularity == "word"
    np.testing.assert_allclose(by_word.values.sum(axis=-1), 1, atol=1e-5)
    np.testing.assert_allclose(by_word.values[-16:, -16:], by_token.values[-16:, -16:], atol=1e-6)
    assert words.question_over_picture(by_word.values).shape == (len(read.source_words), 4, 4)


def test_an_explanation_hides_regions_of_the_picture_and_leaves_the_question(served: Served) -> None:
    asked, shown = QUESTIONS[0], picture()
    result = served.client.answer(shown, asked, explain=["occlusion", "rollout", "random"], attention="rollout")
    grid, rolled = result.input.image_grid, result.input.find_map("rollout")
    assert grid is not None
    assert rolled is not None
    normal = shown / 127.5 - 1

    def chance(is_hidden: NDArray[np.bool_]) -> float:
        """Of the answer, by the original, with the mean colour in the hidden regions."""
        hidden = np.where(is_hidden.reshape(4, 4).repeat(16, 0).repeat(16, 1)[..., None], normal.mean((0, 1)), normal)
        ids = served.tokenizer(asked, return_tensors="pt").input_ids
        pixels = torch.tensor(hidden.transpose(2, 0, 1)[None], dtype=torch.float32)
        with torch.inference_mode():
            chances = served.net(input_ids=ids, pixel_values=pixels).logits[0].sigmoid().tolist()
        return float(chances[list(LABELS.values()).index(result.answer)])

    whole = chance(np.zeros(16, np.bool_))
    for each in result.explanations:
        assert each.label == result.answer
        assert each.probability == pytest.approx(whole, abs=1e-4)
        order = np.argsort(-each.scores, kind="stable")
        for erasure in each.erasures:
            is_top = np.isin(np.arange(16), order[: erasure.num_erased])
            assert erasure.without == pytest.approx(chance(is_top), abs=1e-4)
            assert erasure.alone == pytest.approx(chance(~is_top), abs=1e-4)
    occlusion, rollout, _ = result.explanations
    falls = [whole - chance(np.arange(16) == region) for region in range(16)]
    np.testing.assert_allclose(occlusion.scores, falls, atol=1e-4)
    np.testing.assert_allclose(rollout.scores, rolled.values[0, grid.first_position :], atol=1e-6)
    assert (occlusion.num_runs, rollout.num_runs) == (16 + 8, 8)  # 1, 2, 3 and 8 regions, without and alone
    (sad,) = served.client.answer(shown, asked, explain="random", explain_label="sad").explanations
    assert sad.probability == pytest.approx(served.chances(shown, asked)["sad"], abs=1e-4)


def test_chosen_labels_numbers_and_thresholds(served: Served) -> None:
    expected = served.chances(picture(), QUESTIONS[0])
    two = served.client.answer(picture(), QUESTIONS[0], labels=["sad", "neither"])
    assert _chances(two) == pytest.approx({label: expected[label] for label in ("sad", "neither")}, abs=1e-4)
    assert len(served.client.answer(picture(), QUESTIONS[0], top_k=1).labels) == 1
    none = served.client.answer(picture(), QUESTIONS[0], threshold=1.0)
    assert (none.answer, none.labels) == ("", ())


def test_other_doors_answer_the_same(served: Served) -> None:
    expected = served.client.answer(picture(), QUESTIONS[0])
    image = base64.b64encode(as_png(picture())).decode()
    asked = {"images": [image], "questions": [QUESTIONS[0]], "attention": {"kinds": ["rollout"], "encoding": "json"}}
    status, content = served.post(asked)
    assert status == 200, content
    (answer,) = content["results"]
    assert answer["answer"] == expected.answer
    assert answer["input"]["image_grid"]["first_position"] == len(answer["input"]["source_tokens"]) + 1

    async def call() -> regard.AnswerResult:
        async with regard.AsyncClient(f"127.0.0.1:{served.grpc_port}") as client:
            return await client.answer(picture(), QUESTIONS[0])

    assert _chances(asyncio.run(call())) == _chances(expected)


def test_the_command_prints_answers_by_line(served: Served, tmp_path: Path) -> None:
    file = tmp_path / "picture.png"
    file.write_bytes(as_png(picture()))
    server = ["--server", f"127.0.0.1:{served.grpc_port}"]

    def run(*arguments: str, stdin: str = "") -> str:
        result = CliRunner().invoke(main, ["answer", str(file), *arguments, *server], input=stdin)
        assert result.exit_code == 0, result.output
        return result.stdout

    best = served.client.answer(picture(), QUESTIONS[0]).labels[0]
    assert run(QUESTIONS[0], "--top-k", "1") == f"{best.label} {best.probability:.3f}\n"
    assert run("-", stdin="\n".join(QUESTIONS)) == run(*QUESTIONS)
    assert json.loads(run(QUESTIONS[0], "--json", "--kind", "rollout"))["input"]["attention"]
    explained = run(QUESTIONS[0], "--top-k", "1", "--explain", "rollout", "--explain", "random").splitlines()
    assert [line.split(":")[0] for line in explained[1:]] == ["  rollout", "  random"]
    refused = CliRunner().invoke(main, ["answer", str(tmp_path / "none.png"), "Why?", *server])
    assert refused.exit_code == 2
    assert "does not exist" in refused.output


def test_the_open_inference_protocol_has_two_inputs(served: Served) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}") as channel:
        stub = v2_grpc.GRPCInferenceServiceStub(channel)

        def ask(**inputs: list[bytes]) -> Any:
            asked = v2.ModelInferRequest(model_name="vilt")
            for name, elements in inputs.items():
                added = asked.inputs.add(name=name, datatype="BYTES", shape=[len(elements)])
                added.contents.bytes_contents.extend(elements)
            return stub.ModelInfer(asked)

        images, questions = [as_png(picture()), as_png(picture(1))], [text.encode() for text in QUESTIONS[:2]]
        answer = ask(question=questions, image=images)  # in any order
        values = {tensor.name: raw for tensor, raw in zip(answer.outputs, answer.raw_output_contents, strict=True)}
        chances = np.frombuffer(values["probabilities"], "<f4").reshape(2, 3)
        for seed, row in enumerate(chances):
            expected = served.chances(picture(seed), QUESTIONS[seed])
            np.testing.assert_allclose(row, list(expected.values()), atol=1e-4)
        metadata = stub.ModelMetadata(v2.ModelMetadataRequest(name="vilt"))
        assert [tensor.name for tensor in metadata.inputs] == ["image", "question"]
        with pytest.raises(grpc.RpcError, match="there must be 2 inputs, 'image' and 'question'"):
            ask(image=images)


@pytest.mark.parametrize(
    ("changed", "field", "fault"),
    [
        ({"questions": []}, "questions", "is empty; a call has at least 1 input"),
        ({"questions": ["a", " "]}, "questions[1]", "holds only white space"),
        ({"questions": ["where " * 10_000]}, "questions[0]", "has 60000 characters; the limit is 20000"),
        ({"questions": ["a " * 10_000]}, "questions[0]", "has 10000 tokens; this model takes at most 46"),
        ({"questions": ["a"] * 129}, "questions", "holds 129 inputs; the limit is 128"),
        ({"images": []}, "images", "is empty; a call has at least 1 input"),
        ({"images": ["AAAA"]}, "images[0]", "JPEG, PNG or WebP"),
        ({"labels": ["sad", "angry"]}, "labels[1]", "'angry' is no label of model 'vilt'; it has sad, glad, neither"),
        ({"labels": ["sad", "sad"]}, "labels", "names 'sad' more than once"),
        ({"threshold": 1.5}, "threshold", "must be in [0, 1]; it is 1.5"),
        ({"top_k": 0}, "top_k", "must be in [1, 1000]; it is 0"),
        ({"truncation": "split_and_join"}, "truncation", "not offered"),
        ({"attention": {"kinds": ["cross"]}}, "attention.kinds[0]", "it offers encoder_self, rollout"),
        (
            {"questions": ["a"] * 17, "explain": {"evidence": ["random"]}},
            "explain",
            "is for 17 inputs; the limit is 16",
        ),
        ({"explain": {"evidence": ["alignment"]}}, "explain.evidence[0]", "'vilt'; it offers rollout, value_norm, "),
        ({"explain": {"evidence": ["random"], "label": "angry"}}, "explain.label", "'angry' is no label of model"),
    ],
)
def test_bad_input_is_refused_by_the_name_of_its_field(
    served: Served, changed: dict[str, Any], field: str, fault: str
) -> None:
    image = base64.b64encode(as_png(picture())).decode()
    status, problem = served.post({"images": [image], "questions": ["Where is the dog?"], **changed})
    assert status == 400, problem
    assert [each["field"] for each in problem["violations"]] == [field]
    assert fault in problem["violations"][0]["description"]


def test_a_long_question_is_cut_where_the_call_says_so(served: Served) -> None:
    result = served.client.answer(picture(), "where " * 100, truncation="truncate")
    assert result.input.truncated
    assert result.input.num_tokens == 48 + 17


def test_models_of_other_tasks_answer_none(served: Served) -> None:
    with pytest.raises(regard.NotFound, match="no model 'bert' for answering; there are: vilt"):
        served.client.answer(picture(), "Why?", model="bert")
    with pytest.raises(regard.NotFound, match="no model 'vilt' for classification; there are: bert"):
        served.client.classify_images(picture(), model="vilt")
    model = served.client.model("vilt").message
    assert (model.reads_pictures, model.reads_questions, model.max_source_tokens) == (True, True, 48)
    assert [each.name for each in served.client.models("answering")] == ["vilt"]
