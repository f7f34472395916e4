"""The manifests of `transformers` captioners, and refusals."""

import json
import shutil
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoTokenizer, BertJapaneseTokenizer
from transformers.models.deit.image_processing_pil_deit import DeiTImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from regard_export.architectures import swin
from regard_export.architectures.encoder_decoder import EncoderDecoderArchitecture
from regard_export.checkpoints.source_model import LoadOptions
from regard_export.errors import ExportError
from regard_export.families.hugging_face.image_preprocessing import image_source, load_processor
from regard_export.families.loading import load_source_model
from regard_export.precision.precision_builders import PRECISION_BUILDERS
from regard_models.nets.vision_transformer import VisionTransformerConfig
from regard_service.bundle import ImageSource
from regard_service.pictures.reader import ImageReader
from tests.unit.export.marian_checkpoints import change_json
from tests.unit.export.vision_checkpoints import (
    DONUT_HEIGHT,
    DONUT_TASK,
    DONUT_WIDTH,
    HEIGHT,
    random_pixels,
    write_blip,
    write_vision,
)

SQUARE = {"height": HEIGHT, "width": HEIGHT}
ENCODER = VisionTransformerConfig(16, 2, 1, 16, image_height=HEIGHT, image_width=HEIGHT, patch_size=8)
PHOTOGRAPH = Path("docs/examples/photos/cat.jpg")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_vision(tmp_path_factory.mktemp("vision") / "checkpoint")


@pytest.fixture
def copy(checkpoint: Path, tmp_path: Path) -> Path:
    """A checkpoint that the test may change."""
    for file in checkpoint.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def test_the_manifest(checkpoint) -> None:
    model = load_source_model(checkpoint)
    assert (model.family, model.task) == ("vision-encoder-decoder", "captioning")
    assert isinstance(model.source, ImageSource)
    assert (model.source.height, model.source.width, model.source.resize) == (24, 24, "squash")
    assert (model.source.grid, model.source.first_position, model.max_source_tokens) == ((3, 3), 1, 10)
    np.testing.assert_allclose([model.source.mean, model.source.std], 127.5)
    assert model.target.start_id == model.target.pad_id == 0
    assert model.target.end_ids == (0,)
    assert model.max_target_tokens == 32
    assert isinstance(model.architecture, EncoderDecoderArchitecture)
    assert model.architecture.decoder.config.tie_embeddings


def test_the_manifest_of_blip(tmp_path) -> None:
    model = load_source_model(write_blip(tmp_path / "checkpoint"))
    assert model.target.start_id == model.target.vocab_size - 1
    assert (model.target.end_ids, model.target.pad_id) == ((3,), 0)
    assert {0, 1, 2, 3} <= set(model.target.special_ids)
    assert isinstance(model.source, ImageSource)
    assert model.source.first_position == 1


def test_distillation_tokens_stand_before_the_grid(tmp_path) -> None:
    model = load_source_model(write_vision(tmp_path / "checkpoint", encoder="deit", decoder="bert"))
    assert isinstance(model.source, ImageSource)
    assert (model.source.first_position, model.max_source_tokens) == (2, 11)
    assert model.source.crop_fraction == pytest.approx(24 / 28)
    assert (model.target.start_id, model.target.end_ids, model.target.pad_id) == (2, (3,), 0)


def test_generation_settings_are_kept(copy) -> None:
    change_json(copy / "generation_config.json", num_beams=4, max_length=16, no_repeat_ngram_size=3)
    model = load_source_model(copy)
    assert (model.generation.num_beams, model.generation.max_new_tokens) == (4, 15)
    assert model.generation.no_repeat_ngram_size == 3


def test_banned_tokens_are_never_written(copy) -> None:
    change_json(copy / "generation_config.json", bad_words_ids=[[7]], renormalize_logits=True)
    architecture = load_source_model(copy).architecture
    assert isinstance(architecture, EncoderDecoderArchitecture)
    bias = architecture.decoder.head.bias
    assert bias is not None
    assert np.isneginf(bias[7])


def test_older_names_in_the_preprocessing_are_understood(copy) -> None:
    """Those of the first ViT-GPT2 captioners."""
    old = {"feature_extractor_type": "ViTFeatureExtractor", "do_resize": True, "do_normalize": True, "size": HEIGHT}
    old |= {"resample": 2, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
    expected = load_source_model(copy).source
    (copy / "preprocessor_config.json").write_text(json.dumps(old))
    assert load_source_model(copy).source == expected


def test_weights_that_nothing_reads_may_be_missing_or_superfluous(copy) -> None:
    weights = load_file(copy / "model.safetensors")
    poolers = [name for name in weights if "pooler" in name]
    assert poolers
    for name in poolers:
        del weights[name]
    weights["decoder.transformer.h.0.attn.bias"] = np.ones((1, 1, 32, 32), np.float32)
    weights["decoder.transformer.h.0.crossattention.masked_bias"] = np.float32(-1e4) * np.ones(1, np.float32)
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    load_source_model(copy)


@pytest.mark.parametrize(
    ("write", "buffer"),
    [
        (write_blip, "text_decoder.bert.embeddings.position_ids"),
        (partial(write_vision, decoder="bert"), "decoder.bert.embeddings.position_ids"),
        (partial(write_vision, decoder="trocr"), "decoder.model.decoder.embed_positions._float_tensor"),
        (
            partial(write_vision, encoder="swin"),
            "encoder.encoder.layers.0.blocks.0.attention.self.relative_position_index",
        ),
    ],
    ids=["blip", "bert", "trocr", "swin"],
)
def test_buffers_in_older_checkpoints_are_ignored(tmp_path, write, buffer: str) -> None:
    file = write(tmp_path / "checkpoint") / "model.safetensors"
    expected = load_source_model(tmp_path / "checkpoint").reference.memory(random_pixels(1)[0])
    save_file({**load_file(file), buffer: np.zeros(3, np.int64)}, file, metadata={"format": "pt"})
    memory = load_source_model(tmp_path / "checkpoint").reference.memory(random_pixels(1)[0])
    for name, value in expected.items():
        np.testing.assert_array_equal(memory[name], value)


def test_older_checkpoints_are_pickles_of_tensors(copy) -> None:
    expected = load_source_model(copy).reference.memory(random_pixels(1)[0])
    weights = {name: torch.from_numpy(x) for name, x in load_file(copy / "model.safetensors").items()}
    (copy / "model.safetensors").unlink()
    torch.save(weights, copy / "pytorch_model.bin")
    memory = load_source_model(copy).reference.memory(random_pixels(1)[0])
    for name, value in expected.items():
        np.testing.assert_array_equal(memory[name], value)


def test_other_pickles_are_read_only_if_they_are_trusted(copy) -> None:
    weights = {name: torch.from_numpy(x) for name, x in load_file(copy / "model.safetensors").items()}
    (copy / "model.safetensors").unlink()
    torch.save({**weights, "encoder.pooler.dense.note": Path("x")}, copy / "pytorch_model.bin")
    with pytest.raises(ExportError, match="--trust-pickle"):
        load_source_model(copy)
    with pytest.raises(ExportError, match="captioners write one language; omit --languages"):
        load_source_model(copy, LoadOptions(languages=(("en", "de"),)))


def test_missing_weights_are_named_at_once(copy) -> None:
    weights = load_file(copy / "model.safetensors")
    del weights["decoder.transformer.h.1.crossattention.q_attn.weight"]
    del weights["encoder.layernorm.bias"]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ExportError) as error:
        load_source_model(copy)
    assert "decoder.transformer.h.1.crossattention.q_attn.weight is missing" in str(error.value)
    assert "encoder.layernorm.bias is missing" in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: _change(f, "decoder", scale_attn_by_inverse_layer_idx=True), "scale_attn_by_inverse_layer_idx True"),
        (lambda f: _change(f, "decoder", activation_function="mish"), "activation_function 'mish'"),
        (lambda f: _change(f, "encoder", hidden_act="mish"), "hidden_act 'mish'"),
        (lambda f: _processor(f, do_resize=False), "do_resize false"),
        (lambda f: _processor(f, size={"shortest_edge": 24}), "shortest_edge without do_center_crop"),
        (lambda f: _processor(f, resample=0), "resample 0"),
        (lambda f: _processor(f, do_pad=True), "do_pad"),
        (lambda f: _processor(f, size={"height": 32, "width": 32}), "of 32 x 32 pixels; the encoder takes 24 x 24"),
        (lambda f: (f / "preprocessor_config.json").unlink(), "lacks preprocessor_config.json"),
        (lambda f: (f / "preprocessor_config.json").write_text("{"), "cannot be read"),
        (lambda f: [(f / name).unlink() for name in ("tokenizer.json", "tokenizer_config.json")], "tokenizer"),
        (lambda f: change_json(f / "generation_config.json", bad_words_ids=[[1, 2]]), "several tokens"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_unsupported_options_are_named(copy, change: Callable[[Path], object], message: str) -> None:
    change(copy)
    with pytest.raises(ExportError, match=message):
        load_source_model(copy)


def test_unknown_encoders_and_decoders_are_named_with_the_known(tmp_path) -> None:
    with pytest.raises(ExportError, match=r"unknown encoder 'dinov2'; known are beit, deit"):
        load_source_model(write_vision(tmp_path / "encoder", encoder="dinov2"))
    with pytest.raises(ExportError, match=r"unknown decoder 'opt'; known are bert, "):
        load_source_model(write_vision(tmp_path / "decoder", decoder="opt"))


@pytest.mark.parametrize(
    "processor",
    [
        ViTImageProcessorPil(size=SQUARE),
        ViTImageProcessorPil(size=SQUARE, resample=3, image_mean=[0.4, 0.5, 0.6], image_std=[0.2, 0.3, 0.4]),
        ViTImageProcessorPil(size=SQUARE, do_normalize=False),
        ViTImageProcessorPil(size=SQUARE, do_rescale=False, image_mean=[127, 127, 127], image_std=[50, 60, 70]),
        DeiTImageProcessorPil(size={"height": 28, "width": 28}, crop_size=SQUARE),
        DeiTImageProcessorPil(size={"shortest_edge": 32}, crop_size=SQUARE),
    ],
    ids=["plain", "own numbers", "not normalized", "not rescaled", "cropped", "shorter side"],
)
def test_photographs_are_read_as_the_original_reads_them(tmp_path, processor) -> None:
    processor.save_pretrained(tmp_path)
    source = image_source(load_processor(tmp_path), ENCODER)
    with Image.open(PHOTOGRAPH) as image:
        original = processor(image.convert("RGB"), return_tensors="np")["pixel_values"][0]
    read = ImageReader(source).read(PHOTOGRAPH.read_bytes(), field="image").array
    off = np.abs(read - original) * np.array(source.std)[:, None, None]
    assert off.mean() < 1.3  # of 255; with another filter it is at least 1.4


def test_pictures_that_need_no_resizing_are_read_exactly(tmp_path) -> None:
    processor = DeiTImageProcessorPil(size={"height": 28, "width": 28}, crop_size=SQUARE)
    processor.save_pretrained(tmp_path)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (28, 28, 3), dtype=np.uint8))
    file = BytesIO()
    image.save(file, "PNG")
    read = ImageReader(image_source(load_processor(tmp_path), ENCODER)).read(file.getvalue(), field="image").array
    np.testing.assert_allclose(read, processor(image, return_tensors="np")["pixel_values"][0], atol=1e-5)


@pytest.mark.parametrize("subwords", ["wordpiece", "character"])
def test_japanese_captions_are_written_without_a_dictionary(tmp_path: Path, subwords: str) -> None:
    folder = write_vision(tmp_path / "checkpoint", decoder="bert")
    pieces = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    for file in folder.glob("*token*"):
        file.unlink()
    (folder / "vocab.txt").write_text("\n".join(sorted(pieces, key=pieces.__getitem__)))
    own = {"tokenizer_class": "BertJapaneseTokenizer", "subword_tokenizer_type": subwords}
    (folder / "tokenizer_config.json").write_text(json.dumps({**own, "word_tokenizer_type": "mecab"}))
    model = load_source_model(folder)
    original = BertJapaneseTokenizer.from_pretrained(folder, word_tokenizer_type="basic")
    writer = Tokenizer.from_str(model.tokenizers[model.target.tokenizer])
    for ids in ([20, 40, 60, 130], [100, 101, 7, 9]):
        assert writer.decode(ids) == original.decode(ids)
    change_json(folder / "tokenizer_config.json", subword_tokenizer_type="sentencepiece")
    with pytest.raises(ExportError, match="tokenizer"):
        load_source_model(folder)


def test_settings_of_generation_reach_a_captioner(copy) -> None:
    change_json(copy / "generation_config.json", forced_bos_token_id=50, eos_token_id=[0, 60])
    target = load_source_model(copy).target
    assert (target.forced_first_id(""), target.end_ids) == (50, (0, 60))


def test_ids_without_a_piece_are_no_text(tmp_path: Path) -> None:
    target = load_source_model(write_vision(tmp_path / "checkpoint", decoder_vocab_size=310)).target
    assert {*range(300, 310)} <= target.silent_ids


@pytest.fixture(scope="module")
def donut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_vision(tmp_path_factory.mktemp("donut") / "checkpoint", encoder="donut-swin", decoder="mbart")


def _start_token(folder: Path, *prefixes: tuple[str, str]) -> str:
    model = load_source_model(folder, LoadOptions("captioning", prefixes=prefixes))
    return str(Tokenizer.from_str(model.tokenizers[model.target.tokenizer]).id_to_token(model.target.start_id))


def test_a_donut_starts_with_its_task(donut: Path, tmp_path: Path) -> None:
    assert _start_token(donut) == DONUT_TASK
    assert _start_token(donut, ("", "<s_total>")) == "<s_total>"
    folder = Path(shutil.copytree(donut, tmp_path / "copy"))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["<s_invoice>"], special_tokens=True)
    tokenizer.save_pretrained(folder)
    with pytest.raises(ExportError, match=r"<s_invoice>, <s_receipt>: choose it, --prefix =TOKEN"):
        _start_token(folder)
    change_json(folder / "generation_config.json", decoder_start_token_id=tokenizer.convert_tokens_to_ids("</s_total>"))
    assert _start_token(folder) == "</s_total>"


@pytest.mark.parametrize(
    ("prefix", "message"),
    [(("", "<s_receipt><s_total>"), "is 2 tokens; the decoder starts with one"), (("de", "a"), "no target languages")],
)
def test_a_prompt_that_is_no_start_is_refused(donut: Path, prefix: tuple[str, str], message: str) -> None:
    with pytest.raises(ExportError, match=message):
        _start_token(donut, prefix)


def test_fields_are_part_of_a_donuts_text(donut: Path) -> None:
    model = load_source_model(donut)
    tokenizer = AutoTokenizer.from_pretrained(donut)
    assert tokenizer.convert_tokens_to_ids("<s_total>") not in model.target.silent_ids
    assert {0, 1, 2, 3, model.target.start_id} <= model.target.silent_ids


@pytest.mark.parametrize("size", [(300, 500), (500, 300), (10, 7), (16, 32), (200, 20)])
def test_a_page_is_fitted_between_black_borders(donut: Path, size: tuple[int, int]) -> None:
    source, processor = load_source_model(donut).source, load_processor(donut)
    assert isinstance(source, ImageSource)
    image = Image.new("RGB", size, (200, 100, 50))
    file = BytesIO()
    image.save(file, "PNG")
    read = ImageReader(source).read(file.getvalue(), field="image")
    original = processor(image, return_tensors="np")["pixel_values"][0]
    np.testing.assert_allclose(read.array, original, atol=0.01)
    left, top, right, bottom = read.grid.box
    seen = np.any(read.array > -1, axis=0)  # black borders are at -1
    inner = int(np.any(seen, axis=0).sum()), int(np.any(seen, axis=1).sum())
    assert (right - left) * inner[0] / source.width == pytest.approx(size[0])
    assert (bottom - top) * inner[1] / source.height == pytest.approx(size[1])


def test_a_large_score_bias_is_computed_in_the_graph(donut: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of text have windows in the thousands, whose biases would fill gigabytes."""
    architecture: Any = load_source_model(donut).architecture
    sizes, states = [], []
    pixels = np.random.default_rng(0).normal(size=(2, 3, DONUT_HEIGHT, DONUT_WIDTH)).astype(np.float32)
    for limit in (swin.MAX_SCORE_BIAS, 0):
        monkeypatch.setattr(swin, "MAX_SCORE_BIAS", limit)
        graph = architecture.encode(PRECISION_BUILDERS["float32"].encode).model
        sizes.append(graph.ByteSize())
        session = onnxruntime.InferenceSession(graph.SerializeToString())
        states.append(session.run(None, {"pixels": pixels})[0])
    assert sizes[1] < sizes[0]
    np.testing.assert_allclose(states[1], states[0], atol=1e-5)


def _change(folder: Path, side: str, **options: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    config[side] |= options
    (folder / "config.json").write_text(json.dumps(config))


def _processor(folder: Path, **options: object) -> None:
    change_json(folder / "preprocessor_config.json", **options)
