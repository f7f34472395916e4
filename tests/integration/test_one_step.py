"""Models without a decoder over gRPC and HTTP, against `transformers` on the same checkpoints."""

import asyncio
import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import torch
import transformers
from click.testing import CliRunner

import regard
from regard.cli import main
from regard.names import Evidence, Pooling
from regard_export.cli.commands import export_command
from regard_service.app.settings import Settings
from regard_service.open_inference import open_inference_pb2 as v2
from regard_service.open_inference import open_inference_pb2_grpc as v2_grpc
from tests.integration.conftest import running
from tests.unit.export.encoder_checkpoints import (
    LABELS,
    write_encoder,
    write_picture_classifier,
    write_sentence_encoder,
)
from tests.waiting import PATIENCE_S

TEXTS = ["Where is the library?", "Two dogs are running through the snow.", "Thank you!"]
LONG = "the dog and the man " * 20
HEADS = {
    "bert": ("bert", "Model"),
    "sentences": ("bert", "ForSequenceClassification"),
    "tokens": ("distilbert", "ForTokenClassification"),
    "masks": ("roberta", "ForMaskedLM"),
}


@dataclass(frozen=True)
class Served:
    """A server's client, its ports, and the checkpoints that its models were exported from."""

    client: regard.Client
    grpc_port: int
    http_port: int
    checkpoints: Path

    def ask(self, verb: str, path: str, body: object = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=PATIENCE_S)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(verb, path, content, {"content-type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def results(self, path: str, body: object) -> Any:
        status, content = self.ask("POST", path, body)
        assert status == 200, content
        return json.loads(content)["results"]

    def original(self, name: str) -> tuple[Any, Any]:
        kind, head = HEADS[name]
        base = {"bert": "Bert", "distilbert": "DistilBert", "roberta": "Roberta"}[kind]
        folder = self.checkpoints / name
        net = getattr(transformers, f"{base}{head}").from_pretrained(folder, attn_implementation="eager").eval()
        return net, transformers.AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("one_step")
    for name, (kind, head) in HEADS.items():
        write_encoder(root / "checkpoints" / name, kind, head)
    write_sentence_encoder(root / "checkpoints" / "st")
    write_picture_classifier(root / "checkpoints" / "vit", "vit")
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
        default_models={"encoding": "bert", "classification": "sentences"},
    )
    with running(settings) as server, regard.Client(f"127.0.0.1:{server.grpc_port}") as client:
        yield Served(client, server.grpc_port, server.http_port, root / "checkpoints")


@torch.inference_mode()
def test_vectors_are_those_of_the_original_for_every_pooling(served: Served) -> None:
    net, tokenizer = served.original("bert")
    for text in TEXTS:
        states = net(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        expected: dict[Pooling, torch.Tensor] = {
            "mean": states.mean(dim=0),
            "class": states[0],
            "max": states.max(dim=0).values,
        }
        for pooling, vector in expected.items():
            result = served.client.encode(text, pooling=pooling)
            np.testing.assert_allclose(result.vector, vector.numpy(), atol=1e-4)
            assert (result.pooling, result.normalized, result.input.num_tokens) == (pooling, False, len(states))
            normal = served.client.encode(text, pooling=pooling, normalized=True).vector
            np.testing.assert_allclose(normal, (vector / vector.norm()).numpy(), atol=1e-5)


def test_texts_of_one_call_get_what_each_gets_alone(served: Served) -> None:
    many = [f"{text} {number}" for number, text in enumerate(TEXTS * 11)]
    together = served.client.encode(many)
    alone = [served.client.encode(text) for text in many]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.vector, other.vector, atol=1e-5)


def test_a_folder_of_sentence_transformers_states_pooling_and_length(served: Served) -> None:
    result = served.client.encode(TEXTS[0], model="st")
    assert (result.pooling, result.normalized) == ("class", True)
    assert float(np.linalg.norm(result.vector)) == pytest.approx(1, abs=1e-5)
    cut = served.client.encode(LONG, model="st", truncation="truncate").input
    assert cut.truncated
    assert cut.num_tokens == 24
    assert cut.num_truncated_tokens > 0
    with pytest.raises(regard.InvalidArgument, match=r"texts\[0\]: has \d+ tokens; this model takes at most 22"):
        served.client.encode(LONG, model="st")


@torch.inference_mode()
def test_maps_are_the_originals_self_attention(served: Served) -> None:
    net, tokenizer = served.original("bert")
    attention = torch.cat(net(**tokenizer(TEXTS[0], return_tensors="pt"), output_attentions=True).attentions).numpy()
    read = served.client.encode(TEXTS[0], attention=["encoder_self", "rollout"]).input
    own, rolled = read.find_map("encoder_self"), read.find_map("rollout")
    assert own is not None
    assert rolled is not None
    np.testing.assert_allclose(own.values, attention, atol=1e-4)
    size = len(read.source_tokens)
    expected = np.eye(size)
    for layer in attention.mean(axis=1):
        expected = 0.5 * expected + 0.5 * layer @ expected
    np.testing.assert_allclose(rolled.values, expected, atol=1e-4)
    words = served.client.encode(TEXTS[0], attention="rollout", words=True).input
    by_word = words.find_map("rollout")
    assert by_word is not None
    assert by_word.shape == (len(words.source_words),) * 2
    np.testing.assert_allclose(by_word.values.sum(axis=-1), 1, atol=1e-5)
    weighed = served.client.encode(TEXTS[0], attention="encoder_self", weighting="contribution", layers=[1]).input
    assert weighed.attention[0].shape == (1, 2, size, size)


@torch.inference_mode()
def test_labels_of_texts_and_of_tokens_are_the_originals(served: Served) -> None:
    net, tokenizer = served.original("sentences")
    for text, result in zip(TEXTS, served.client.classify(TEXTS), strict=True):
        chances = net(**tokenizer(text, return_tensors="pt")).logits[0].softmax(dim=0)
        expected = sorted(((float(p), LABELS[i]) for i, p in enumerate(chances)), reverse=True)
        assert [score.label for score in result.labels] == [label for _, label in expected]
        assert [s.probability for s in result.labels] == pytest.approx([p for p, _ in expected], abs=1e-4)
    net, tokenizer = served.original("tokens")
    result = served.client.classify(TEXTS[1], model="tokens")
    logits = net(**tokenizer(TEXTS[1], return_tensors="pt")).logits[0].softmax(dim=-1)
    assert [each.token for each in result.tokens] == list(range(1, len(logits) - 1))
    for each in result.tokens:
        best = int(logits[each.token].argmax())
        assert each.labels[0].label == LABELS[best]
        assert each.labels[0].probability == pytest.approx(float(logits[each.token, best]), abs=1e-4)
        assert TEXTS[1][each.span.start : each.span.end]


def test_chosen_labels_numbers_and_thresholds(served: Served) -> None:
    every = served.client.classify(TEXTS[0])
    two = served.client.classify(TEXTS[0], labels=["sad", "glad"], top_k=1)
    assert [score for score in every.labels if score.label in ("sad", "glad")][:1] == list(two.labels)
    assert not served.client.classify(TEXTS[0], threshold=1.0).labels
    of_tokens = served.client.classify(TEXTS[0], model="tokens", top_k=3).tokens[0]
    assert sum(score.probability for score in of_tokens.labels) == pytest.approx(1, abs=1e-5)


@torch.inference_mode()
def test_pictures_are_labelled_with_maps_over_their_grid(served: Served) -> None:
    net = transformers.ViTForImageClassification.from_pretrained(
        served.checkpoints / "vit", attn_implementation="eager"
    ).eval()
    side = net.config.image_size
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    result = served.client.classify_images(pixels, model="vit", attention=["encoder_self", "rollout"])
    normal = torch.tensor((pixels.transpose(2, 0, 1) / 127.5 - 1)[None], dtype=torch.float32)
    expected = net(pixel_values=normal, output_attentions=True)
    chances = {LABELS[i]: float(p) for i, p in enumerate(expected.logits[0].softmax(dim=0))}
    assert {s.label: s.probability for s in result.labels} == pytest.approx(chances, abs=1e-4)
    own, rolled, grid = result.input.find_map("encoder_self"), result.input.find_map("rollout"), result.input.image_grid
    assert own is not None
    assert rolled is not None
    assert grid is not None
    np.testing.assert_allclose(own.values, torch.cat(expected.attentions).numpy(), atol=1e-4)
    of_class_token = rolled.values[0, grid.first_position :]
    assert len(of_class_token) == grid.rows * grid.columns
    with pytest.raises(regard.InvalidArgument, match=r"images\[0\]"):
        served.client.classify_images(b"no picture", model="vit")
    with pytest.raises(regard.InvalidArgument, match="texts: model 'vit' reads pictures: send images"):
        served.client.classify("a text", model="vit")


EVIDENCE: tuple[Evidence, ...] = ("rollout", "value_norm", "contribution", "occlusion", "random")


def of_a_text(net: Any, ids: torch.Tensor, label: str) -> float:
    return float(net(input_ids=ids[None]).logits[0].softmax(dim=0)[list(LABELS.values()).index(label)])


@torch.inference_mode()
def test_explanations_of_a_text_are_what_the_original_says_of_erased_texts(served: Served) -> None:
    net, tokenizer = served.original("sentences")
    result = served.client.classify(TEXTS[1], explain=EVIDENCE)
    ids = tokenizer(TEXTS[1], return_tensors="pt").input_ids[0]
    own = list(range(1, len(ids) - 1))
    assert len(result.input.source_tokens) == len(ids)
    label = result.label
    whole = of_a_text(net, ids, label)
    assert [each.evidence for each in result.explanations] == list(EVIDENCE)
    for explanation in result.explanations:
        assert explanation.label == label
        assert explanation.probability == pytest.approx(whole, abs=1e-4)
        order = sorted(own, key=lambda index: -explanation.scores[index])
        for erasure in explanation.erasures:
            assert erasure.num_erased == max(1, round(erasure.share * len(own)))
            top = set(order[: erasure.num_erased])
            without = ids[[i for i in range(len(ids)) if i not in top]]
            alone = ids[[i for i in range(len(ids)) if i in top or i not in own]]
            assert erasure.without == pytest.approx(of_a_text(net, without, label), abs=1e-4)
            assert erasure.alone == pytest.approx(of_a_text(net, alone, label), abs=1e-4)
        falls = [whole - erasure.without for erasure in explanation.erasures]
        assert explanation.comprehensiveness == pytest.approx(np.mean(falls), abs=1e-4)
        num_counts = len({erasure.num_erased for erasure in explanation.erasures})
        assert explanation.num_runs == 2 * num_counts + len(own) * (explanation.evidence == "occlusion")
    by_evidence = {each.evidence: each.scores for each in result.explanations}
    occluded = [whole - of_a_text(net, ids[[i for i in range(len(ids)) if i != index]], label) for index in own]
    np.testing.assert_allclose(by_evidence["occlusion"][own], occluded, atol=1e-4)
    rolled = served.client.classify(TEXTS[1], attention="rollout").input.find_map("rollout")
    assert rolled is not None
    np.testing.assert_allclose(by_evidence["rollout"][own], rolled.values[0, own], atol=1e-5)


@torch.inference_mode()
def test_explanations_of_a_picture_hide_its_regions(served: Served) -> None:
    folder = served.checkpoints / "vit"
    net = transformers.ViTForImageClassification.from_pretrained(folder, attn_implementation="eager").eval()
    side, size = net.config.image_size, net.config.patch_size
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    result = served.client.classify_images(
        pixels, model="vit", explain=["occlusion", "rollout"], explain_label="glad", attention="rollout"
    )
    normal = torch.tensor(pixels.transpose(2, 0, 1) / 127.5 - 1, dtype=torch.float32)
    grid, rolled = result.input.image_grid, result.input.find_map("rollout")
    assert grid is not None
    assert rolled is not None

    def glad(shown: torch.Tensor) -> float:
        return float(net(pixel_values=shown[None]).logits[0].softmax(dim=0)[1])

    occlusion, rollout = result.explanations
    whole = glad(normal)
    assert occlusion.label == "glad"
    assert occlusion.probability == pytest.approx(whole, abs=1e-4)
    for region in range(grid.rows * grid.columns):
        row, column = divmod(region, grid.columns)
        hidden = normal.clone()
        place = slice(row * size, (row + 1) * size), slice(column * size, (column + 1) * size)
        hidden[:, place[0], place[1]] = normal.mean(dim=(1, 2))[:, None, None]
        assert occlusion.scores[region] == pytest.approx(whole - glad(hidden), abs=1e-4)
    np.testing.assert_allclose(rollout.scores, rolled.values[0, grid.first_position :], atol=1e-6)


def test_an_explanation_of_several_inputs_is_that_of_each(served: Served) -> None:
    together = served.client.classify(TEXTS, explain="occlusion")
    for text, result in zip(TEXTS, together, strict=True):
        (expected,) = served.client.classify(text, explain="occlusion").explanations
        np.testing.assert_allclose(result.explanations[0].scores, expected.scores, atol=1e-5)
        assert result.explanations[0].sufficiency == pytest.approx(expected.sufficiency, abs=1e-5)


@torch.inference_mode()
def test_masks_are_filled_as_by_the_original(served: Served) -> None:
    net, tokenizer = served.original("masks")
    text = "Where is the<mask>? I have <mask> been to the sea."
    result = served.client.fill_mask(text, model="masks", top_k=3)
    ids = tokenizer(text, return_tensors="pt").input_ids
    chances = net(input_ids=ids).logits[0][ids[0] == tokenizer.mask_token_id].softmax(dim=-1)
    assert [text[mask.span.start : mask.span.end] for mask in result.masks] == ["<mask>", "<mask>"]
    for mask, expected in zip(result.masks, chances, strict=True):
        best = expected.topk(3)
        assert [piece.id for piece in mask.pieces] == best.indices.tolist()
        assert [piece.probability for piece in mask.pieces] == pytest.approx(best.values.tolist(), abs=1e-5)
        assert [piece.piece for piece in mask.pieces] == tokenizer.convert_ids_to_tokens(best.indices)


def test_the_asyncio_client_has_the_same_calls(served: Served) -> None:
    async def run() -> None:
        async with regard.AsyncClient(f"127.0.0.1:{served.grpc_port}") as client:
            vector, labels, masks = await asyncio.gather(
                client.encode(TEXTS[0]), client.classify(TEXTS[:2]), client.fill_mask("A <mask>.")
            )
        np.testing.assert_array_equal(vector.vector, served.client.encode(TEXTS[0]).vector)
        assert len(labels) == 2
        assert len(masks.masks) == 1

    asyncio.run(run())


def test_the_json_api_answers_the_same(served: Served) -> None:
    asked = {"texts": [TEXTS[0]], "attention": {"kinds": ["rollout"], "encoding": "json"}}
    (answer,) = served.results("/v1/encode", asked)
    np.testing.assert_allclose(answer["vector"], served.client.encode(TEXTS[0]).vector, atol=1e-6)
    assert np.array(answer["input"]["attention"][0]["data"]).ndim == 2
    labelled = served.results("/v1/classify", {"texts": TEXTS, "model": "tokens"})
    assert len(labelled) == 3
    assert labelled[0]["tokens"]
    (filled,) = served.results("/v1/fill-mask", {"texts": ["A <mask>."], "top_k": 2})
    assert len(filled["masks"][0]["pieces"]) == 2


def test_an_input_that_fails_costs_a_command_no_other(served: Served, tmp_path: Path) -> None:
    server = ["--server", f"127.0.0.1:{served.grpc_port}"]
    stdin = b"\xef\xbb\xbf" + TEXTS[0].encode() + b"\r\n\n\xff\n" + TEXTS[1].encode()
    result = CliRunner().invoke(main, ["classify", "-", "--top-k", "1", *server], input=stdin)
    first, second = (served.client.classify(text).labels[0] for text in TEXTS[:2])
    lines = [f"{each.label} {each.probability:.3f}" for each in (first, second)]
    assert result.stdout.splitlines() == [lines[0], "", "", lines[1]]
    assert result.stderr.splitlines() == [
        "regard: line 2: INVALID_ARGUMENT: texts[0]: is empty",
        "regard: line 3: INVALID_ARGUMENT: the line is not UTF-8: byte 0 is 0xff",
    ]
    assert result.exit_code == 1
    texts = CliRunner().invoke(main, ["encode", TEXTS[0], "", "--json", *server])
    vector, error = json.loads(texts.stdout)
    assert len(vector["vector"]) == 32
    assert error["error"]["code"] == "INVALID_ARGUMENT"
    assert texts.stderr == "regard: text 2: INVALID_ARGUMENT: texts[0]: is empty\n"
    pictures = CliRunner().invoke(main, ["classify", str(tmp_path / "none.jpg"), "--model", "vit", *server])
    assert pictures.stderr == f"regard: {tmp_path / 'none.jpg'}: No such file or directory\n"


def test_commands_print_what_the_client_gets(served: Served) -> None:
    def run(*arguments: str, stdin: str = "") -> str:
        server = ["--server", f"127.0.0.1:{served.grpc_port}"]
        result = CliRunner().invoke(main, [*arguments, *server], input=stdin)
        assert result.exit_code == 0, result.output
        return result.stdout

    vectors = [json.loads(line) for line in run("encode", *TEXTS).splitlines()]
    expected = [result.vector for result in served.client.encode(TEXTS)]
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    assert run("encode", "-", stdin="\n".join(TEXTS)) == run("encode", *TEXTS)
    assert json.loads(run("encode", TEXTS[0], "--pooling", "max", "--json"))["pooling"] == "POOLING_MAX"
    label = served.client.classify(TEXTS[0]).labels[0]
    printed = run("classify", TEXTS[0], "--top-k", "1")
    assert printed == f"{label.label} {label.probability:.3f}\n"
    assert (
        run("classify", TEXTS[0], "--model", "tokens").count("  ")
        == len(served.client.classify(TEXTS[0], model="tokens").tokens) - 1
    )
    explained = run("classify", TEXTS[0], "--top-k", "1", "--explain", "rollout", "--explain", "random").splitlines()
    assert explained[0] == printed.strip()
    assert [line.split(":")[0].strip() for line in explained[1:]] == ["rollout", "random"]
    assert "encoding" in run("models")
    assert "vector_size" in run("models", "show", "bert")
    assert len(run("fill-mask", "A <mask> and <mask>.", "--top-k", "2").splitlines()) == 2


def test_the_open_inference_protocol_has_vectors_and_probabilities(served: Served) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}") as channel:
        stub = v2_grpc.GRPCInferenceServiceStub(channel)

        def infer(name: str, **parameters: v2.InferParameter) -> dict[str, Any]:
            asked = v2.ModelInferRequest(model_name=name, parameters=parameters)
            asked.inputs.add(name="text", datatype="BYTES", shape=[2]).contents.bytes_contents.extend(
                text.encode() for text in TEXTS[:2]
            )
            answer = stub.ModelInfer(asked)
            return {
                tensor.name: (list(tensor.shape), raw)
                for tensor, raw in zip(answer.outputs, answer.raw_output_contents, strict=True)
            }

        outputs = infer("bert", pooling=v2.InferParameter(string_param="max"))
        assert outputs["vector"][0] == [2, 32]
        expected = [result.vector for result in served.client.encode(TEXTS[:2], pooling="max")]
        np.testing.assert_allclose(np.frombuffer(outputs["vector"][1], "<f4").reshape(2, 32), expected, atol=1e-6)
        outputs = infer("sentences")
        chances = np.frombuffer(outputs["probabilities"][1], "<f4").reshape(2, 3)
        best = served.client.classify(TEXTS[0]).labels[0]
        assert chances[0].max() == pytest.approx(best.probability, abs=1e-6)
        metadata = stub.ModelMetadata(v2.ModelMetadataRequest(name="vit"))
        assert [tensor.name for tensor in metadata.inputs] == ["image"]
        with pytest.raises(grpc.RpcError, match="'masks' has no outputs in this protocol"):
            infer("masks")


@pytest.mark.parametrize(
    ("path", "asked", "field", "fault"),
    [
        ("encode", {"texts": []}, "texts", "is empty; a call has at least 1 input"),
        ("encode", {"texts": ["a", " "]}, "texts[1]", "holds only white space"),
        ("encode", {"texts": ["a"], "truncation": "split_and_join"}, "truncation", "not offered"),
        ("encode", {"texts": ["a"], "attention": {"kinds": ["cross"]}}, "attention.kinds[0]", "encoder_self, rollout"),
        ("encode", {"texts": ["a"], "attention": {"kinds": ["rollout"], "layers": [2]}}, "attention.layers[0]", "is 2"),
        ("classify", {"texts": ["a"], "threshold": 1.5}, "threshold", "must be in [0, 1]; it is 1.5"),
        ("classify", {"texts": ["a"], "top_k": 0}, "top_k", "must be in [1, 1000]; it is 0"),
        ("classify", {"texts": ["a"], "labels": ["angry"]}, "labels[0]", "it has sad, glad"),
        ("classify", {"texts": ["a"], "images": ["AAAA"]}, "images", "together with texts"),
        ("classify", {"images": ["AAAA"]}, "images", "reads texts: send texts"),
        ("classify", {"texts": ["a"], "explain": {}}, "explain.evidence", "is empty; it names at least 1 source"),
        (
            "classify",
            {"texts": ["a"], "explain": {"evidence": ["random", "rollout", "random"]}},
            "explain.evidence[2]",
            "names random more than once",
        ),
        (
            "classify",
            {"texts": ["a"], "explain": {"evidence": ["EVIDENCE_UNSPECIFIED"]}},
            "explain.evidence[0]",
            "must be one of rollout",
        ),
        (
            "classify",
            {"texts": ["a"], "explain": {"evidence": ["random"], "label": "angry"}},
            "explain.label",
            "'angry' is no label of model 'sentences'; it has sad, glad, neither",
        ),
        (
            "classify",
            {"texts": ["a"] * 17, "explain": {"evidence": ["random"]}},
            "explain",
            "17 inputs; the limit is 16",
        ),
        (
            "classify",
            {"texts": ["a"], "model": "tokens", "explain": {"evidence": ["random"]}},
            "explain",
            "only labels of whole inputs",
        ),
        ("fill-mask", {"texts": ["no mask"]}, "texts[0]", "a mask is written <mask>"),
        ("fill-mask", {"texts": ["A <mask>"], "top_k": 101}, "top_k", "must be in [1, 100]; it is 101"),
    ],
)
def test_bad_input_is_refused_by_the_name_of_its_field(
    served: Served, path: str, asked: dict[str, Any], field: str, fault: str
) -> None:
    status, content = served.ask("POST", f"/v1/{path}", asked)
    problem = json.loads(content)
    assert status == 400, problem
    assert problem["violations"][0]["field"] == field
    assert fault in problem["violations"][0]["description"]


def test_a_model_of_another_task_is_none_for_this_one(served: Served) -> None:
    with pytest.raises(regard.NotFound, match="no model 'bert' for classification; there are: sentences, tokens, vit"):
        served.client.classify("a", model="bert")
    with pytest.raises(regard.NotFound, match="no model 'masks' for encoding"):
        served.client.encode("a", model="masks")
    with pytest.raises(regard.NotFound, match="no model for translation"):
        served.client.translate("a", to="de")


def test_models_say_what_they_make(served: Served) -> None:
    models = {model.name: model.message for model in served.client.models()}
    assert (models["st"].vector_size, models["st"].normalizes, models["st"].max_source_tokens) == (32, True, 24)
    assert list(models["tokens"].labels) == [*LABELS.values()]
    assert models["tokens"].labels_tokens
    assert models["masks"].mask_token == "<mask>"
    assert not models["masks"].HasField("generation_defaults")
    assert [model.name for model in served.client.models("encoding")] == ["bert", "st"]
    metrics = served.ask("GET", "/metrics")[1].decode()
    assert 'regard_requests_total{model="bert",outcome="done"}' in metrics


def test_a_call_whose_deadline_is_too_near_ends_or_is_refused(served: Served) -> None:
    with pytest.raises((regard.DeadlineExceeded, regard.Overloaded)):
        served.client.encode(TEXTS, timeout=1e-4)
    assert json.loads(served.client.encode(TEXTS[0]).to_json())["input"]["model"] == "bert"
