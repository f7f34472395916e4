"""Marian's transformer in plain NumPy, float32, by Marian's own names: verification compares students with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from regard.arrays import Float32Array, Int64Array
from regard_export.descriptions.marian_positions import signal

NORM_EPSILON = 1e-6  # marian-dev `src/models/transformer.h`, layerNorm


class Options(Protocol):
    """The options that do not follow from the weights."""

    @property
    def width(self) -> int: ...
    @property
    def num_heads(self) -> int: ...
    @property
    def encoder_depth(self) -> int: ...
    @property
    def decoder_depth(self) -> int: ...
    @property
    def cell(self) -> Literal["ssru", "self-attention"]: ...
    @property
    def norm(self) -> Literal["pre", "post"]: ...
    @property
    def has_final_norms(self) -> bool: ...
    @property
    def activation(self) -> Literal["relu", "silu"]: ...
    @property
    def tables(self) -> tuple[str, str]: ...
    @property
    def has_tied_output(self) -> bool: ...


@dataclass
class DecoderState:
    """The state of a hypothesis.

    Attributes:
        position: of the next token.
        layers: SSRU's cell, float32 [width], or self-attention's inputs so far, [positions, width], a layer.
    """

    position: int = 0
    layers: list[Float32Array] = field(default_factory=list)


@dataclass(frozen=True)
class Step:
    """One decoder position: the output layer's input, float32 [width]; attention, [layers, heads, source]."""

    output: Float32Array
    attention: Float32Array
    state: DecoderState


class MarianNet:
    """One source and one hypothesis at a time, so that padding plays no part.

    Args:
        weights: float32, by Marian's names; matrices are [in, out].
    """

    def __init__(self, options: Options, weights: Mapping[str, Float32Array]) -> None:
        self._options = options
        self._weights = weights
        self._matrices = {  # [out, in], in that order in memory
            name: x if name in options.tables else np.ascontiguousarray(x.T)
            for name, x in weights.items()
            if len(x) > 1
        }

    def encode(self, ids: Int64Array) -> Float32Array:
        """The encoder's states, [source, width]; ids: int64 [source]."""
        options = self._options
        table = self._weights[options.tables[0]]
        x = table[ids] * np.float32(np.sqrt(options.width)) + signal(np.arange(len(ids)), options.width)
        for layer in range(1, options.encoder_depth + 1):
            name = f"encoder_l{layer}"
            before = self._before(f"{name}_self_Wo", x)
            update, _ = self._attention(f"{name}_self", before, before)
            x = self._after(f"{name}_self_Wo", x, update)
            x = self._feed_forward(f"{name}_ffn", x)
        return self._normalize("encoder_top", x) if options.has_final_norms else x

    def step(self, states: Float32Array, state: DecoderState, previous: int | None) -> Step:
        """Decodes one position.

        Args:
            states: of the encoder.
            previous: the last token; None at the first position, where Marian reads a vector of zeros.
        """
        options = self._options
        x = signal(np.array([state.position]), options.width)
        if previous is not None:
            x = x + self._weights[options.tables[1]][previous] * np.float32(np.sqrt(options.width))
        remembered, maps = [], []
        for layer in range(1, options.decoder_depth + 1):
            name = f"decoder_l{layer}"
            past = state.layers[layer - 1] if state.layers else None
            x, memory = self._remember(name, x, past)
            remembered.append(memory)
            update, weights = self._attention(f"{name}_context", self._before(f"{name}_context_Wo", x), states)
            maps.append(weights[:, 0])
            x = self._after(f"{name}_context_Wo", x, update)
            x = self._feed_forward(f"{name}_ffn", x)
        if options.has_final_norms:
            x = self._normalize("decoder_top", x)
        return Step(x[0], np.stack(maps), DecoderState(state.position + 1, remembered))

    def _remember(self, name: str, x: Float32Array, past: Float32Array | None) -> tuple[Float32Array, Float32Array]:
        """A decoder layer's first sublayer; returns its output and its state for the next position."""
        if self._options.cell == "ssru":
            return self._ssru(f"{name}_rnn", x, past)
        before = self._before(f"{name}_self_Wo", x)
        seen = before if past is None else np.concatenate([past, before])
        update, _ = self._attention(f"{name}_self", before, seen)
        return self._after(f"{name}_self_Wo", x, update), seen

    def _ssru(self, name: str, x: Float32Array, cell: Float32Array | None) -> tuple[Float32Array, Float32Array]:
        """f = sigmoid(W_f x + b_f); c = f c + (1 - f) W x; the update is relu(c) (Kim et al. 2019, section 3.1)."""
        before = x if self._options.norm == "post" else self._normalize(name, x, "_pre")
        one = np.float32(1)
        forget: Float32Array = one / (one + np.exp(-self._affine(before, f"{name}_Wf", f"{name}_bf")))
        past = np.zeros_like(x) if cell is None else cell
        kept: Float32Array = forget * past + (one - forget) * product(before, self._matrices[f"{name}_W"])
        return self._after(f"{name}_ffn", x, np.maximum(kept, 0)), kept

    def _attention(self, name: str, x: Float32Array, memory: Float32Array) -> tuple[Float32Array, Float32Array]:
        """Attention over a memory that is all visible; returns the update and the weights, [heads, queries, keys]."""
        query, key, value = (
            self._heads(self._affine(source, f"{name}_W{kind}", f"{name}_b{kind}"))
            for kind, source in (("q", x), ("k", memory), ("v", memory))
        )
        scores = query @ key.transpose(0, 2, 1) * np.float32(query.shape[-1] ** -0.5)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        context = (weights @ value).transpose(1, 0, 2).reshape(len(x), -1)
        return self._affine(context, f"{name}_Wo", f"{name}_bo"), weights

    def key_value(self, states: Float32Array, layer: int) -> tuple[Float32Array, Float32Array]:
        """Cross-attention's keys and values of a decoder layer, from 0: [heads, source, head width] each."""
        name = f"decoder_l{layer + 1}_context"
        key, value = (self._heads(self._affine(states, f"{name}_W{kind}", f"{name}_b{kind}")) for kind in "kv")
        return key, value

    def _heads(self, x: Float32Array) -> Float32Array:
        """[n, width] -> [heads, n, head width]."""
        return x.reshape(len(x), self._options.num_heads, -1).transpose(1, 0, 2)

    def _feed_forward(self, name: str, x: Float32Array) -> Float32Array:
        inner = self._affine(self._before(f"{name}_ffn", x), f"{name}_W1", f"{name}_b1")
        inner = np.maximum(inner, 0) if self._options.activation == "relu" else inner / (1 + np.exp(-inner))
        return self._after(f"{name}_ffn", x, self._affine(inner, f"{name}_W2", f"{name}_b2"))

    def _before(self, name: str, x: Float32Array) -> Float32Array:
        return x if self._options.norm == "post" else self._normalize(name, x, "_pre")

    def _after(self, name: str, x: Float32Array, update: Float32Array) -> Float32Array:
        return self._normalize(name, x + update) if self._options.norm == "post" else x + update

    def _normalize(self, name: str, x: Float32Array, suffix: str = "") -> Float32Array:
        gain, bias = (self._weights[f"{name}_ln_{kind}{suffix}"] for kind in ("scale", "bias"))
        centred = x - x.mean(-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(-1, keepdims=True) + np.float32(NORM_EPSILON))
        normalized: Float32Array = centred / deviation * gain + bias
        return normalized

    def _affine(self, x: Float32Array, weight: str, bias: str) -> Float32Array:
        return product(x, self._matrices[weight]) + self._weights[bias]

    def logits(self, outputs: Float32Array) -> Float32Array:
        """float32 [n, width] -> [n, vocabulary]."""
        options = self._options
        matrix = options.tables[1] if options.has_tied_output else "decoder_ff_logit_out_W"
        bias = self._weights.get("decoder_ff_logit_out_b")
        logits = product(outputs, self._matrices[matrix])
        return logits if bias is None else logits + bias


def product(x: Float32Array, matrix: Float32Array) -> Float32Array:
    """[n, in] and [out, in] -> [n, out], without BLAS, whose threads wait for each other on a machine that is busy.

    With few rows it takes half of BLAS's time too.
    """
    found: Float32Array = np.einsum("ni,oi->no", x, matrix)
    return found
