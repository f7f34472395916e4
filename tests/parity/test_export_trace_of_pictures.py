"""The trace graphs of captioners, and of encoders other than the transformer's, against the originals' attention."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from regard_export.architectures.captioner_transformer import TransformerCaptionerArchitecture
from regard_export.checkpoints.source_model import SourceModel
from regard_export.decoding.variant_engine import VariantEngine
from regard_export.families.loading import load_source_model
from regard_export.families.regard_checkpoints import captioner, encoder_decoder
from regard_export.resources.threads import half_of_torch_threads
from regard_models.nets.captioner_family import build, load_weights
from regard_models.nets.encoder_decoder import EncoderConfig
from regard_service.bundle import Bundle, Precision
from regard_service.engine.runtime.runner import Runner
from regard_service.engine.runtime.trace import Trace
from tests.unit.export.captioner_checkpoints import (
    ALL_BLOCKS,
    tiny_captioner_checkpoint,
    tiny_lstm,
    tiny_pixels,
    tiny_transformer,
)
from tests.unit.export.encoder_decoder_checkpoints import tiny_bert, tiny_checkpoint, tiny_prompted, tiny_vision
from tests.unit.export.transformer_checkpoints import write_tiny_bundle
from tests.unit.export.vision_checkpoints import random_pixels, write_blip, write_vision

VISION: dict[str, dict[str, Any]] = {
    "vit gpt2": {"encoder_hidden_size": 32},
    "vit trocr of other widths": {"decoder": "trocr", "encoder_num_attention_heads": 2},
    "deit bert": {"encoder": "deit", "decoder": "bert"},
    "beit gpt2": {"encoder": "beit", "encoder_use_relative_position_bias": True},
    "swin gpt2, one window": {"encoder": "swin", "encoder_window_size": 3},
    "swin bert, shifted windows": {
        "encoder": "swin",
        "decoder": "bert",
        "encoder_patch_size": 2,
        "encoder_window_size": 3,
    },
    "blip": {},
}
OWN: dict[str, EncoderConfig] = {
    "vision": tiny_vision(),
    "vision, distances": tiny_vision(class_tokens=0, width=32, relative_positions=True),
    "bert": tiny_bert(),
}


@pytest.fixture(autouse=True)
def _few_threads() -> Iterator[None]:
    with half_of_torch_threads():
        yield


def _bundle(folder: Path, model: SourceModel, *precisions: Precision) -> Bundle:
    return write_tiny_bundle(folder / "bundle", model, *precisions)


def _traced(bundle: Bundle, source: Any, target: list[int]) -> Trace:
    return Runner(bundle, bundle.manifest.variants[0]).trace(np.array(source), np.array(target))


def _stacked(weights: list[torch.Tensor] | tuple[torch.Tensor, ...]) -> NDArray[np.float32]:
    """Concatenates layers of [1, heads, queries, keys] to [layers, heads, queries, keys]."""
    stacked: NDArray[np.float32] = torch.cat(list(weights)).numpy()
    return stacked


def _vision_model(folder: Path, name: str) -> SourceModel:
    write = write_blip if name == "blip" else write_vision
    return load_source_model(write(folder, **VISION[name]))


def _whole_grid(windows: torch.Tensor, grid: int, window: int, shift: int) -> torch.Tensor:
    """Spreads weights within windows over the grid: [windows, heads, M * M, M * M] -> [1, heads, n, n]."""
    places = torch.arange(grid * grid).reshape(grid, grid).roll((-shift, -shift), (0, 1))
    places = places.unfold(0, window, window).unfold(1, window, window).reshape(len(windows), -1)
    whole = torch.zeros(1, windows.shape[1], grid * grid, grid * grid)
    for positions, weights in zip(places, windows, strict=True):
        whole[0][:, positions[:, None], positions] = weights
    return whole


def _keep(found: list[torch.Tensor]) -> Callable[..., None]:
    """A hook that stores an attention's weights."""
    return lambda _module, _inputs, output: found.append(output[1])


@contextmanager
def _hooked(modules: Iterable[torch.nn.Module], hook: Callable[..., None]) -> Iterator[None]:
    handles = [module.register_forward_hook(hook) for module in modules]
    yield
    for handle in handles:
        handle.remove()


def _swin_attention(net: Any, pixels: torch.Tensor) -> NDArray[np.float32]:
    """The attention of the last stage's layers; `output_attentions` returns only one layer per stage."""
    config, depth = net.config.encoder, net.config.encoder.depths[-1]
    found: list[torch.Tensor] = []
    with _hooked([module for module in net.encoder.modules() if hasattr(module, "o_proj")], _keep(found)):
        net.encoder(pixels)
    window = config.window_size
    grid = config.image_size // config.patch_size // 2 ** (len(config.depths) - 1)
    shifts = [window // 2 if layer % 2 and grid > window else 0 for layer in range(depth)]
    return _stacked([_whole_grid(x, grid, window, shift) for x, shift in zip(found[-depth:], shifts, strict=True)])


@torch.inference_mode()
@pytest.mark.parametrize("name", VISION)
def test_maps_equal_those_of_transformers(tmp_path: Path, name: str) -> None:
    model = _vision_model(tmp_path / "checkpoint", name)
    (image,), target = random_pixels(1), [model.target.start_id, 40, 7, 99]
    trace = _traced(_bundle(tmp_path, model, "float32"), image, target)
    net: Any = model.reference._net  # type: ignore[attr-defined]
    pixels, ids = torch.from_numpy(image)[None], torch.tensor([target])
    if name == "blip":
        seen = net.vision_model(pixel_values=pixels, output_attentions=True)
        encoder_attentions, states = seen.attentions, seen.last_hidden_state
        words = net.text_decoder(ids, encoder_hidden_states=states, output_attentions=True)
        decoder, cross = words.attentions, words.cross_attentions
    else:
        output = net(pixel_values=pixels, decoder_input_ids=ids, output_attentions=True)
        encoder_attentions, decoder, cross = (
            output.encoder_attentions,
            output.decoder_attentions,
            output.cross_attentions,
        )
    encoder = _swin_attention(net, pixels) if name.startswith("swin") else _stacked(encoder_attentions)
    np.testing.assert_allclose(trace.encoder_self, encoder, atol=1e-5)
    np.testing.assert_allclose(trace.decoder_self, _stacked(decoder), atol=1e-5)
    np.testing.assert_allclose(trace.cross, _stacked(cross), atol=1e-5)
    np.testing.assert_allclose(trace.encoder_self.sum(-1), 1, atol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("name", ["vit gpt2", "swin bert, shifted windows"])
def test_encoder_norms_are_those_of_the_transformed_values(tmp_path: Path, name: str) -> None:
    model = _vision_model(tmp_path / "checkpoint", name)
    (image,) = random_pixels(1)
    trace = _traced(_bundle(tmp_path, model, "float32"), image, [model.target.start_id])
    net: Any = model.reference._net  # type: ignore[attr-defined]
    attentions = [x for x in net.encoder.modules() if hasattr(x, "o_proj")][-len(trace.encoder_norms) :]
    seen: list[torch.Tensor] = []
    with _hooked([x.v_proj for x in attentions], lambda _module, _inputs, value: seen.append(value)):
        net.encoder(torch.from_numpy(image)[None])
    heads = trace.encoder_norms.shape[1]
    for norms, values, attention in zip(trace.encoder_norms, seen, attentions, strict=True):
        value = values.reshape(-1, heads, values.shape[-1] // heads)  # [positions, heads, head width]
        weight = attention.o_proj.weight.unflatten(-1, (heads, -1))  # [width, heads, head width]
        expected = torch.einsum("lhd,whd->hlw", value, weight).norm(dim=-1).numpy()
        # The original orders positions by window.
        np.testing.assert_allclose(np.sort(norms), np.sort(expected), rtol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("name", OWN)
def test_maps_equal_those_of_our_own_nets(tmp_path: Path, name: str) -> None:
    model = encoder_decoder.from_checkpoint(tiny_checkpoint(OWN[name]))
    shape = (3, 16, 24)
    is_text = name == "bert"
    source: Any = [7, 300, 30, 5] if is_text else np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    trace = _traced(_bundle(tmp_path, model, "float32"), source, [1, 270, 280])
    architecture: Any = model.architecture
    encoder = architecture.encoder.description.fill(architecture.encoder.description.net())
    inputs = torch.from_numpy(np.asarray(source))[None]
    states, weights = encoder(inputs, None, need_weights=True) if is_text else encoder(inputs, need_weights=True)
    decoder = architecture.decoder.fill(architecture.decoder.net())
    _, decoder_self, cross = decoder.decode(torch.tensor([[1, 270, 280]]), states, None, need_weights=True)
    np.testing.assert_allclose(trace.encoder_self, _stacked(weights), atol=1e-5)
    np.testing.assert_allclose(trace.decoder_self, _stacked(decoder_self), atol=1e-5)
    np.testing.assert_allclose(trace.cross, _stacked(cross), atol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("blocks", [(), ALL_BLOCKS], ids=str)
def test_maps_equal_those_of_our_own_captioner(tmp_path: Path, blocks: Any) -> None:
    config = tiny_transformer(blocks=blocks, encoder_layers=2)
    checkpoint = tiny_captioner_checkpoint(config)
    model = captioner.from_checkpoint(checkpoint)
    (image,) = tiny_pixels(1)
    target = [1, 270, 280]
    trace = _traced(_bundle(tmp_path, model, "float32"), image, target)
    net: Any = build(config).eval()
    load_weights(net, checkpoint.weights)
    features = net.features(torch.from_numpy(image)[None])
    x = net.bridge(net.positions(features)) + net.grid_positions
    _, encoder_self = net.transformer.encode_embedded(x, None, need_weights=True)
    memory, ids = net.states(features), torch.tensor([target])
    _, decoder_self, cross = net.transformer.decode(ids, memory, None, need_weights=True)
    np.testing.assert_allclose(trace.encoder_self, _stacked(encoder_self), atol=1e-5)
    np.testing.assert_allclose(trace.decoder_self, _stacked(decoder_self), atol=1e-5)
    np.testing.assert_allclose(trace.cross, _stacked(cross), atol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("name", ["beit gpt2", "swin bert, shifted windows", "blip"])
def test_cross_attention_equals_that_of_the_steps(tmp_path: Path, name: str, precision: Precision) -> None:
    model = _vision_model(tmp_path / "checkpoint", name)
    bundle = _bundle(tmp_path, model, precision)
    (image,), target = random_pixels(1), [model.target.start_id, 40, 7, 99]
    trace = _traced(bundle, image, target)
    (stepped,) = VariantEngine(bundle, precision).teacher_force([image], [target])
    np.testing.assert_allclose(trace.cross, stepped.cross_attention, atol=1e-5 if precision == "float32" else 5e-3)


def test_models_that_cannot_be_traced_have_no_trace_graph(tmp_path: Path) -> None:
    """A Swin with a padded last grid, a picture fused with a text, an LSTM, features without encoder layers."""
    untraced = {
        "swin": load_source_model(write_vision(tmp_path / "checkpoint", encoder="swin")),
        "fused": encoder_decoder.from_checkpoint(tiny_checkpoint(tiny_prompted())),
        "lstm": captioner.from_checkpoint(tiny_captioner_checkpoint(tiny_lstm())),
        "no layers": captioner.from_checkpoint(tiny_captioner_checkpoint(tiny_transformer(encoder_layers=0))),
    }
    for name, model in untraced.items():
        assert not write_tiny_bundle(tmp_path / name, model, "float32").manifest.is_traced
    assert isinstance(untraced["no layers"].architecture, TransformerCaptionerArchitecture)
