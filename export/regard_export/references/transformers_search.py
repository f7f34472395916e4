"""Greedy and beam search by `transformers`' generate, of its own models and of any function that returns logits."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import GenerationConfig, GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput, Seq2SeqLMOutput

from regard_export.references.protocols import Generated
from regard_service.bundle import Target
from regard_service.generation import EarlyStopping, Generation

EARLY_STOPPING: dict[EarlyStopping, bool | str] = {"heuristic": False, "first": True, "never": "never"}


def generation_config(
    target: Target,
    generation: Generation,
    *,
    banned_ids: Sequence[int] = (),
    is_renormalized: bool = True,
    use_cache: bool = True,
) -> GenerationConfig:
    """The engine's settings as `transformers` names them, without any of the model's own.

    Args:
        banned_ids: tokens that are never generated.
        is_renormalized: whether the other tokens' probabilities sum to 1; else those of all tokens do.
        use_cache: whether the model has a KV cache.
    """
    beam_options: dict[str, Any] = {}
    if generation.num_beams > 1:  # `transformers` warns about these options in greedy search
        beam_options = {
            "length_penalty": generation.length_penalty,
            "early_stopping": EARLY_STOPPING[generation.early_stopping],
            "output_scores": True,  # needed for the score; they take much memory
        }
    return GenerationConfig(
        max_new_tokens=generation.max_new_tokens,
        min_new_tokens=generation.min_new_tokens or None,
        num_beams=generation.num_beams,
        no_repeat_ngram_size=generation.no_repeat_ngram_size,
        repetition_penalty=generation.repetition_penalty,
        forced_bos_token_id=generation.forced_first_id,
        decoder_start_token_id=target.start_id,
        eos_token_id=list(target.end_ids),
        pad_token_id=target.pad_id,
        bad_words_ids=[[banned] for banned in banned_ids] or None,
        renormalize_logits=bool(banned_ids) and is_renormalized,
        use_cache=use_cache,
        do_sample=False,
        return_dict_in_generate=True,
        **beam_options,
    )


def generate(model: Any, config: GenerationConfig, inputs: Mapping[str, Any]) -> Generated:
    """Generates from one source with `transformers`.

    Args:
        model: a model that generates, which `transformers` does not type.
        inputs: of its forward, such as input_ids, int64 [1, source].
    """
    output = model.generate(generation_config=config, **inputs)
    tokens = output.sequences[0, 1:].tolist()
    ends = [position for position, token in enumerate(tokens) if token in config.eos_token_id]
    scores = getattr(output, "sequences_scores", None)
    return Generated(tokens[: ends[0] + 1] if ends else tokens, None if scores is None else float(scores[0]))


def search(next_logits: Callable[[Tensor], Tensor], vocab_size: int, config: GenerationConfig) -> Generated:
    """Generates from one source with a net of this project.

    Args:
        next_logits: the logits after each hypothesis: int64 [hypotheses, target] -> float [hypotheses, vocabulary].
    """
    encoded = BaseModelOutput(last_hidden_state=torch.zeros(1, 1, 1))  # unused, since `next_logits` knows its source
    return generate(_FunctionModel(next_logits, vocab_size), config, {"encoder_outputs": encoded})


class _FunctionModel(PreTrainedModel, GenerationMixin):
    """A function as a model of `transformers`, with no more than `generate` requires: no cache, no encoder."""

    main_input_name = "input_ids"

    def __init__(self, next_logits: Callable[[Tensor], Tensor], vocab_size: int) -> None:
        super().__init__(PretrainedConfig(is_encoder_decoder=True))
        self.config.vocab_size = vocab_size
        self.next_logits = next_logits
        self.device_holder = nn.Parameter(torch.zeros(1))  # `generate` takes the device from the parameters

    def forward(self, *, decoder_input_ids: Tensor, encoder_outputs: Any, **_: Any) -> Seq2SeqLMOutput:
        """Returns the next logits; decoder_input_ids: int64 [hypotheses, target]. Ignores `encoder_outputs`."""
        return Seq2SeqLMOutput(logits=self.next_logits(decoder_input_ids)[:, None])
