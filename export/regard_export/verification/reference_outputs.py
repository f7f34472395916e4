"""The original's outputs for a workload, computed before any graph is opened: each of them is a model in memory."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from regard.arrays import Float32Array
from regard_export.decoding.variant_engine import Ids
from regard_export.errors import ExportError
from regard_export.references.protocols import Generated, Reference, Source, TeacherForced
from regard_export.resources.memory import release_memory
from regard_export.verification.workload import GREEDY, Workload, first_targets
from regard_service.bundle import Target
from regard_service.generation import Generation


@dataclass(frozen=True)
class ReferenceOutputs:
    """The original's outputs.

    Attributes:
        memory: of each source.
        outputs: of each source, by the search's name.
        targets: the first greedy outputs, after the start token.
        forced: decodes of `targets`.
    """

    memory: list[dict[str, Float32Array]]
    outputs: dict[str, list[Generated]]
    targets: Sequence[Ids]
    forced: list[TeacherForced]


def run_reference(reference: Reference, workload: Workload, target: Target) -> ReferenceOutputs:
    """Runs the original on every source with every search."""
    start_id, sources = target.start_id, workload.sources
    outputs = _generate_all(reference, workload)
    for name, search in workload.searches.items():
        if search.num_beams > 1:
            pairs = zip(sources, outputs[name], strict=True)
            outputs[name] = [_with_attention(reference, source, output, start_id) for source, output in pairs]
    targets = first_targets([[start_id, *output.tokens] for output in outputs[GREEDY]], target.vocab_size)
    forced = [reference.teacher_force(source, ids) for source, ids in zip(sources, targets, strict=False)]
    return ReferenceOutputs([reference.memory(source) for source in sources], outputs, targets, forced)


def _generate_all(reference: Reference, workload: Workload) -> dict[str, list[Generated]]:
    """The original's outputs by the search's name; greedy search runs in a thread beside the other searches."""
    is_stopped = threading.Event()

    def generate(name: str) -> list[Generated]:
        generations = workload.generations(workload.searches[name])
        outputs = []
        for source, generation in zip(workload.sources, generations, strict=True):
            if not is_stopped.is_set():
                outputs.append(_original_output(reference, source, generation))
        release_memory()
        return outputs

    with ThreadPoolExecutor(1) as pool:
        greedy = pool.submit(generate, GREEDY)
        try:
            return {name: generate(name) for name in workload.searches if name != GREEDY} | {GREEDY: greedy.result()}
        finally:
            is_stopped.set()  # after an interruption the thread ends with its current source


def _original_output(reference: Reference, source: Source, generation: Generation) -> Generated:
    try:
        return reference.generate(source, generation)
    except MemoryError:
        raise
    except Exception as error:  # a checkpoint's own code, or its config, may raise any kind
        cause = f"{type(error).__name__}: {error}"
        raise ExportError(f"the original cannot be compared with, it fails itself: {cause}") from error


def _with_attention(reference: Reference, source: Source, output: Generated, start_id: int) -> Generated:
    forced = reference.teacher_force(source, [start_id, *output.tokens[:-1]])
    return replace(output, cross_attention=forced.cross_attention)
