"""The original model, as verification asks it: the graphs must compute what it computes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import GenerationConfig, GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput, Seq2SeqLMOutput

from export.quantize import Float32Array
from models.bundle import Target
from models.nets.transformer import Transformer


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
    """The best output: tokens from behind the start token through the end token, and with beams their score."""

    tokens: list[int]
    score: float | None


class Reference(Protocol):
    """An original model. Every call is about one source, so that padding plays no part."""

    @property
    def name(self) -> str:
        """What the graphs are compared with: class and library."""

    @property
    def unknown_id(self) -> int | None:
        """What the tokenizer makes of characters that it does not know; None if it knows all."""

    def encode(self, source: Sequence[int]) -> Float32Array:
        """The encoder's states, float32 [source, width]."""

    def force(self, source: Sequence[int], target: Sequence[int]) -> Forced:
        """Decodes a given target, which begins with the start token."""

    def generate(self, source: Sequence[int], *, num_beams: int, max_new_tokens: int) -> Generated:
        """Decodes freely; with beams, score = sum of log-probabilities / length."""

    def tokenize(self, text: str, key: str) -> list[int]:
        """The encoder's ids of a text; `key` is the target language or style."""

    def detokenize(self, ids: Sequence[int]) -> str:
        """The text of the decoder's ids, special ones left out."""


class TransformerReference:
    """The project's own transformer in PyTorch; its search is `transformers` generate. Reads and writes no text."""

    unknown_id: int | None = None

    def __init__(self, net: Transformer, target: Target) -> None:
        self.name = f"models.nets.transformer.Transformer, PyTorch {torch.__version__}"
        self._net = net
        self._target = target
        self._generating = _GeneratingTransformer(net)

    @torch.inference_mode()
    def encode(self, source: Sequence[int]) -> Float32Array:
        states: Float32Array = self._states(source)[0].numpy()
        return states

    def _states(self, source: Sequence[int]) -> Tensor:
        """float [1, source, width]."""
        states, _ = self._net.encode(torch.tensor([source]), torch.ones(1, len(source), dtype=torch.bool))
        return states

    @torch.inference_mode()
    def force(self, source: Sequence[int], target: Sequence[int]) -> Forced:
        mask = torch.ones(1, len(source), dtype=torch.bool)
        output = self._net(torch.tensor([source]), mask, torch.tensor([target]), need_weights=True)
        return forced(output.logits[0], torch.cat(output.cross_attention))

    @torch.inference_mode()
    def generate(self, source: Sequence[int], *, num_beams: int, max_new_tokens: int) -> Generated:
        config = generation_config(self._target, num_beams=num_beams, max_new_tokens=max_new_tokens, use_cache=False)
        return generate(
            self._generating, config, encoder_outputs=BaseModelOutput(last_hidden_state=self._states(source))
        )


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


def generation_config(target: Target, **options: Any) -> GenerationConfig:
    """Plain search, whatever defaults a model has: what is compared is the search, not the settings."""
    return GenerationConfig(  # type: ignore[no-untyped-call]
        decoder_start_token_id=target.start_id,
        eos_token_id=list(target.end_ids),
        pad_token_id=target.pad_id,
        do_sample=False,
        output_scores=True,
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


class _GeneratingTransformer(PreTrainedModel, GenerationMixin):  # type: ignore[no-untyped-call]
    """Our transformer as one of `transformers`, as far as `generate` needs it: no cache, the source already encoded."""

    main_input_name = "input_ids"

    def __init__(self, net: Transformer) -> None:
        super().__init__(PretrainedConfig(is_encoder_decoder=True))
        self.config.vocab_size = net.config.vocab_size
        self.net = net

    def forward(self, *, encoder_outputs: Any, decoder_input_ids: Tensor, **_: Any) -> Seq2SeqLMOutput:
        """encoder_outputs: a BaseModelOutput, [batch, source, width]; decoder_input_ids: int64 [batch, target]."""
        states: Tensor = encoder_outputs.last_hidden_state
        decoded = self.net.decode(decoder_input_ids, states, torch.ones(states.shape[:2], dtype=torch.bool))[0]
        return Seq2SeqLMOutput(logits=self.net.head(decoded[:, -1:]))
