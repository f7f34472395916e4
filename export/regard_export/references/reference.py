"""The original model, as verification asks it: the graphs must compute what it computes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from regard_models.nets.transformer import TransformerDecoder
from regard_service.bundle import Target
from regard_service.generation import EarlyStopping, Generation
from torch import Tensor, nn
from transformers import GenerationConfig, GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput, Seq2SeqLMOutput

from regard.arrays import Float32Array
from regard_export.descriptions.transformer import Description

EARLY_STOPPING: dict[EarlyStopping, bool | str] = {"heuristic": False, "first": True, "never": "never"}


@dataclass(frozen=True)
class Forced:
    """One teacher-forced pass over a source and a target.

    Attributes:
        logits: float32 [target, vocabulary].
        log_normalizer: float32 [target], log-sum-exp of the logits.
        cross_attention: float32 [layers, heads, target, source].
    """

    logits: Float32Array
    log_normalizer: Float32Array
    cross_attention: Float32Array


@dataclass(frozen=True)
class Generated:
    """The best output.

    Attributes:
        tokens: from behind the start token through the end token.
        score: with beams.
        cross_attention: along the tokens, float32 [layers, heads, target, source], where somebody asked for it.
    """

    tokens: list[int]
    score: float | None
    cross_attention: Float32Array | None = None


Source = Sequence[int] | NDArray[np.int64] | Float32Array
"""What an encoder takes: the ids of a text (for a model that copies two rows, ids and words), or float32 [3, height,
width], a picture's pixels."""


class Reference(Protocol):
    """An original model. Every call is about one source, so that padding plays no part."""

    @property
    def name(self) -> str:
        """What the graphs are compared with: class and library."""

    def memory(self, source: Source) -> dict[str, Float32Array]:
        """What the decoder needs of a source, by the memory's names, without their axis of requests."""

    def force(self, source: Source, target: Sequence[int]) -> Forced:
        """Decodes a given target, which begins with the start token."""

    def generate(self, source: Source, generation: Generation) -> Generated:
        """Decodes freely, without sampling; the score is that of beams (`regard_service.bundle.GenerationDefaults`)."""


@runtime_checkable
class TextReference(Reference, Protocol):
    """An original model of texts."""

    @property
    def unknown_id(self) -> int | None:
        """What the tokenizer makes of characters that it does not know; None if it knows all."""

    def tokenize(self, text: str, key: str) -> list[int]:
        """The encoder's ids of a text; `key` is the target language or style."""

    def detokenize(self, ids: Sequence[int]) -> str:
        """The text of the decoder's ids, special ones left out."""


@runtime_checkable
class PictureReference(Reference, Protocol):
    """An original model of pictures with ways of its own from files and to texts."""

    def pixels(self, file: bytes) -> Float32Array:
        """What the encoder takes of a picture: float32 [3, height, width]."""

    def target_ids(self, text: str) -> list[int]:
        """The decoder's ids of a text, without special ones."""

    def detokenize(self, ids: Sequence[int]) -> str:
        """The text of the decoder's ids, special ones left out."""


class DecoderReference:
    """A transformer's decoder in PyTorch, whatever encodes; its search is `transformers` generate. Reads and writes no
    text.

    Args:
        states: encodes a batch of one source, int64 [1, source] or float [1, 3, height, width], to float [1, positions,
            memory width].
    """

    def __init__(
        self,
        name: str,
        description: Description,
        decoder: TransformerDecoder,
        states: Callable[[Tensor], Tensor],
        target: Target,
    ) -> None:
        self.name = f"{name}, PyTorch {torch.__version__}"
        self._description = description
        self._decoder = decoder
        self._encode = states
        self._target = target

    @torch.inference_mode()
    def memory(self, source: Source) -> dict[str, Float32Array]:
        return cross_attention_memory(self._description, self._states(source)[0].numpy())

    def _states(self, source: Source) -> Tensor:
        """float [1, positions, memory width]."""
        return self._encode(torch.as_tensor(source)[None])

    @torch.inference_mode()
    def force(self, source: Source, target: Sequence[int]) -> Forced:
        decoded, _, weights = self._decoder.decode(
            torch.tensor([target]), self._states(source), None, need_weights=True
        )
        return forced(self._decoder.logits(decoded)[0], torch.cat(weights))

    @torch.inference_mode()
    def generate(self, source: Source, generation: Generation) -> Generated:
        config = generation_config(self._target, generation, use_cache=False)
        states = self._states(source)

        def next_logits(ids: Tensor) -> Tensor:
            decoded, *_ = self._decoder.decode(ids, states.expand(len(ids), -1, -1), None)
            return self._decoder.logits(decoded[:, -1])

        return search(next_logits, self._target.vocab_size, config)


class TransformerReference(DecoderReference):
    """The project's own transformer."""

    unknown_id: int | None = None

    def __init__(self, description: Description, target: Target) -> None:
        net = description.module()

        def states(source: Tensor) -> Tensor:
            return net.encode(source, torch.ones_like(source, dtype=torch.bool))[0]

        super().__init__("regard_models.nets.transformer.Transformer", description, net, states, target)


def cross_attention_memory(description: Description, states: Float32Array) -> dict[str, Float32Array]:
    """A transformer's memory: keys and values of every decoder layer; states: float32 [source, width]."""
    memory: dict[str, Float32Array] = {}
    for layer in range(description.config.decoder_layers):
        name = f"decoder.{layer}.cross_attention"
        key, value = (_heads(states, description, f"{name}.{kind}") for kind in ("key", "value"))
        memory |= {f"cross_key_{layer}": key.transpose(0, 2, 1), f"cross_value_{layer}": value}
    return memory


def _heads(states: Float32Array, description: Description, name: str) -> Float32Array:
    """states: [source, width] -> [heads, source, head width]."""
    layer = description.linear(name)
    projected = states @ layer.weight.T + (0 if layer.bias is None else layer.bias)
    heads: Float32Array = projected.reshape(len(states), description.config.num_heads, -1).transpose(1, 0, 2)
    return heads


def forced(logits: Tensor, cross_attention: Tensor) -> Forced:
    """logits: float [target, vocabulary]; cross_attention: float [layers, heads, target, source]."""
    return Forced(logits.numpy(), torch.logsumexp(logits, dim=-1).numpy(), cross_attention.numpy())


@contextmanager
def half_of_the_threads() -> Iterator[None]:
    """Gives PyTorch half of its threads: beside other work, threads that wait for each other take many times longer."""
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, threads // 2))
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def generation_config(target: Target, generation: Generation, **options: Any) -> GenerationConfig:
    """The engine's settings in the words of `transformers`, and none of the model's own."""
    if generation.num_beams > 1:  # without, they mean nothing, and are complained about
        options |= {
            "length_penalty": generation.length_penalty,
            "early_stopping": EARLY_STOPPING[generation.early_stopping],
            "output_scores": True,  # of all steps, which are large
        }
    return GenerationConfig(  # type: ignore[no-untyped-call]
        max_new_tokens=generation.max_new_tokens,
        min_new_tokens=generation.min_new_tokens or None,
        num_beams=generation.num_beams,
        no_repeat_ngram_size=generation.no_repeat_ngram_size,
        repetition_penalty=generation.repetition_penalty,
        forced_bos_token_id=generation.forced_first_id,
        decoder_start_token_id=target.start_id,
        eos_token_id=list(target.end_ids),
        pad_token_id=target.pad_id,
        do_sample=False,
        return_dict_in_generate=True,
        **options,
    )


def generate(model: Any, config: GenerationConfig, **inputs: Any) -> Generated:
    """What `transformers` generates for one source.

    Args:
        model: a model that generates, which `transformers` does not type.
        inputs: such as input_ids, int64 [1, source].
    """
    output = model.generate(generation_config=config, **inputs)
    tokens = output.sequences[0, 1:].tolist()
    ends = [position for position, token in enumerate(tokens) if token in config.eos_token_id]
    scores = getattr(output, "sequences_scores", None)
    return Generated(tokens[: ends[0] + 1] if ends else tokens, None if scores is None else float(scores[0]))


def search(next_logits: Callable[[Tensor], Tensor], vocab_size: int, config: GenerationConfig) -> Generated:
    """What `transformers` generates with a net of our own, for one source.

    Args:
        next_logits: int64 [hypotheses, target] -> float [hypotheses, vocabulary], what follows each hypothesis.
    """
    encoded = BaseModelOutput(last_hidden_state=torch.zeros(1, 1, 1))  # `next_logits` knows its source
    return generate(_Generating(next_logits, vocab_size), config, encoder_outputs=encoded)


class _Generating(PreTrainedModel, GenerationMixin):  # type: ignore[no-untyped-call]
    """A function as a model of `transformers`, as far as `generate` needs it: no cache, no encoder."""

    main_input_name = "input_ids"

    def __init__(self, next_logits: Callable[[Tensor], Tensor], vocab_size: int) -> None:
        super().__init__(PretrainedConfig(is_encoder_decoder=True))
        self.config.vocab_size = vocab_size
        self.next_logits = next_logits
        self.device_holder = nn.Parameter(torch.zeros(1))  # `generate` asks the parameters where they are

    def forward(self, *, decoder_input_ids: Tensor, encoder_outputs: Any, **_: Any) -> Seq2SeqLMOutput:
        """decoder_input_ids: int64 [hypotheses, target]; `encoder_outputs` is only there for `generate` to pass it."""
        return Seq2SeqLMOutput(logits=self.next_logits(decoder_input_ids)[:, None])
