"""The original model of a `transformers` checkpoint."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
import transformers
from torch import Tensor
from transformers import GenerationConfig

from regard.arrays import Float32Array
from regard_export.descriptions.transformer import TransformerDescription
from regard_export.families.hugging_face.generation_settings import refuse_unknown_ids
from regard_export.references.protocols import Generated, Source, TeacherForced
from regard_export.references.transformer import cross_attention_memory
from regard_export.references.transformers_search import generate, generation_config
from regard_export.resources.memory import release_memory
from regard_service.bundle import Target
from regard_service.generation import Generation


class HuggingFaceReference:
    """An encoder-decoder model of `transformers`, without a tokenizer.

    Args:
        net: with "eager" attention, the only one that returns its weights.
        description: of the net; its banned tokens are never generated, and the others' probabilities sum to 1.
    """

    unknown_id: int | None = None

    def __init__(self, net: Any, description: TransformerDescription, target: Target) -> None:
        self.name = f"{type(net).__name__}, transformers {transformers.__version__}, PyTorch {torch.__version__}"
        self._net = net
        if hasattr(net, "get_encoder"):  # the encoder's weights are not needed until the next source
            net.get_encoder().register_forward_hook(lambda *_: release_memory())
        self._description = description
        self._target = target
        refuse_unknown_ids(target, description.banned_ids)
        self._has_cache = _has_cache(net.config)

    def inputs(self, source: Source) -> dict[str, Tensor]:
        """Arguments of the encoder's forward, by name, for one source."""
        return {"input_ids": torch.tensor([source])}

    @torch.inference_mode()
    def memory(self, source: Source) -> dict[str, Float32Array]:
        """See `Reference`."""
        states = self._net.get_encoder()(**self.inputs(source)).last_hidden_state[0]
        return cross_attention_memory(self._description, states.numpy())

    @torch.inference_mode()
    def teacher_force(self, source: Source, target: Sequence[int]) -> TeacherForced:
        """See `Reference`."""
        output = self._net(**self.inputs(source), decoder_input_ids=torch.tensor([target]), output_attentions=True)
        return self.forced(output)

    @torch.inference_mode()
    def generate(self, source: Source, generation: Generation) -> Generated:
        """See `Reference`."""
        return generate(self._net, self.search_config(generation), self.inputs(source))

    def forced(self, output: Any) -> TeacherForced:
        """The outputs of a forward for one target, with banned tokens' logits at minus infinity."""
        logits, banned = output.logits[0], list(self._description.banned_ids)
        of_all = torch.logsumexp(logits, dim=-1).numpy()
        logits[:, banned] = -torch.inf
        forced = TeacherForced.from_tensors(logits, torch.cat(output.cross_attentions))
        return forced if self._description.is_renormalized else replace(forced, log_normalizer=of_all)

    def search_config(self, generation: Generation) -> GenerationConfig:
        """The settings of a search, with the banned tokens."""
        description = self._description
        return generation_config(
            self._target,
            generation,
            banned_ids=description.banned_ids,
            is_renormalized=description.is_renormalized,
            use_cache=self._has_cache,
        )


def _has_cache(config: Any) -> bool:
    """Whether the library's cache suits the net: for some it has as many layers as the encoder, too few for others."""
    decoder = getattr(config, "decoder", config)
    layers = getattr(decoder, "num_decoder_layers", getattr(decoder, "decoder_layers", None))
    return layers is None or bool(layers <= getattr(decoder, "num_hidden_layers", layers))
