"""The project's recurrent translator in PyTorch."""

from collections.abc import Sequence

import torch
from torch import Tensor

from regard.arrays import Float32Array
from regard_export.descriptions.recurrent import INITIAL_CELL, INITIAL_STATE, KEYS, STATES
from regard_export.references.protocols import Generated, Source, TeacherForced
from regard_export.references.transformers_search import generation_config, search
from regard_models.nets.recurrent import Memory, RecurrentTranslator
from regard_service.bundle import Target
from regard_service.generation import Generation


class RecurrentReference:
    """A recurrent translator. Its search is `transformers`' generate; it has no tokenizer."""

    def __init__(self, net: RecurrentTranslator, target: Target) -> None:
        self.name = f"regard_models.nets.recurrent.RecurrentTranslator, PyTorch {torch.__version__}"
        self._net = net
        self._target = target

    @torch.inference_mode()
    def memory(self, source: Source) -> dict[str, Float32Array]:
        """See `Reference`."""
        memory = self._encode(source)
        tensors = {STATES: memory.states, INITIAL_STATE: memory.initial}
        if memory.keys is not memory.states:
            tensors[KEYS] = memory.keys
        if memory.initial_cell is not None:
            tensors[INITIAL_CELL] = memory.initial_cell
        return {name: x[0].numpy() for name, x in tensors.items()}

    def _encode(self, source: Source, num_copies: int = 1) -> Memory:
        ids = torch.tensor(source).expand(num_copies, -1)
        return self._net.encode(ids, torch.ones(ids.shape, dtype=torch.bool))

    @torch.inference_mode()
    def teacher_force(self, source: Source, target: Sequence[int]) -> TeacherForced:
        """See `Reference`."""
        ids = torch.tensor([source])
        output = self._net(ids, torch.ones(ids.shape, dtype=torch.bool), torch.tensor([target]), need_weights=True)
        return TeacherForced.from_tensors(output.logits[0], torch.cat(output.cross_attention))

    @torch.inference_mode()
    def generate(self, source: Source, generation: Generation) -> Generated:
        """See `Reference`."""
        config = generation_config(self._target, generation, use_cache=False)
        memory = self._encode(source, generation.num_beams)

        def next_logits(ids: Tensor) -> Tensor:
            readouts, _ = self._net.decode(ids, memory)
            logits: Tensor = self._net.head(readouts[:, -1])
            return logits

        return search(next_logits, self._target.vocab_size, config)
