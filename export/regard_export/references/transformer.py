"""The project's transformer, and its decoder after any encoder, in PyTorch."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from regard.arrays import Float32Array
from regard_export.descriptions.transformer import TransformerDescription
from regard_export.references.protocols import Generated, Source, TeacherForced
from regard_export.references.transformers_search import generation_config, search
from regard_models.nets.transformer import TransformerDecoder
from regard_service.bundle import Target
from regard_service.generation import Generation


class DecoderReference:
    """A transformer's decoder after any encoder. Its search is `transformers`' generate; it has no tokenizer.

    Args:
        encode: encodes a batch of one source, int64 [1, source] or float [1, 3, height, width], to float [1, positions,
            memory width].
    """

    def __init__(
        self,
        name: str,
        description: TransformerDescription,
        decoder: TransformerDecoder,
        encode: Callable[[Tensor], Tensor],
        target: Target,
    ) -> None:
        self.name = f"{name}, PyTorch {torch.__version__}"
        self._description = description
        self._decoder = decoder
        self._encode = encode
        self._target = target

    @torch.inference_mode()
    def memory(self, source: Source) -> dict[str, Float32Array]:
        """See `Reference`."""
        return cross_attention_memory(self._description, self._states(source)[0].numpy())

    def _states(self, source: Source) -> Tensor:
        """float [1, positions, memory width]."""
        return self._encode(torch.as_tensor(source)[None])

    @torch.inference_mode()
    def teacher_force(self, source: Source, target: Sequence[int]) -> TeacherForced:
        """See `Reference`."""
        decoded, _, weights = self._decoder.decode(
            torch.tensor([target]), self._states(source), None, need_weights=True
        )
        return TeacherForced.from_tensors(self._decoder.logits(decoded)[0], torch.cat(weights))

    @torch.inference_mode()
    def generate(self, source: Source, generation: Generation) -> Generated:
        """See `Reference`."""
        config = generation_config(self._target, generation, use_cache=False)
        states = self._states(source)

        def next_logits(ids: Tensor) -> Tensor:
            decoded, *_ = self._decoder.decode(ids, states.expand(len(ids), -1, -1), None)
            return self._decoder.logits(decoded[:, -1])

        return search(next_logits, self._target.vocab_size, config)


class TransformerReference(DecoderReference):
    """The project's encoder-decoder transformer."""

    unknown_id: int | None = None

    def __init__(self, description: TransformerDescription, target: Target) -> None:
        net = description.module()
        if description.banned_ids:  # as the graphs: their bias is minus infinity
            with torch.no_grad():
                net.head.bias[list(description.banned_ids)] = -torch.inf

        def encode(source: Tensor) -> Tensor:
            return net.encode(source, torch.ones_like(source, dtype=torch.bool))[0]

        super().__init__("regard_models.nets.transformer.Transformer", description, net, encode, target)


def cross_attention_memory(description: TransformerDescription, states: Float32Array) -> dict[str, Float32Array]:
    """A transformer's memory: keys and values of every decoder layer; states: float32 [source, width]."""
    memory: dict[str, Float32Array] = {}
    for layer in range(description.config.decoder_layers):
        name = f"decoder.{layer}.cross_attention"
        key, value = (_heads(states, description, f"{name}.{kind}") for kind in ("key", "value"))
        memory |= {f"cross_key_{layer}": key.transpose(0, 2, 1), f"cross_value_{layer}": value}
    return memory


def _heads(states: Float32Array, description: TransformerDescription, name: str) -> Float32Array:
    """Projects states: [source, width] -> [heads, source, head width]."""
    layer = description.linear(name)
    projected = states @ layer.weight.T + (0 if layer.bias is None else layer.bias)
    heads: Float32Array = projected.reshape(len(states), description.config.num_heads, -1).transpose(1, 0, 2)
    return heads
