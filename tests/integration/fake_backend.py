"""A backend without models: canned results, and the failures that a test scripts."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import numpy as np

from regard_service.app.wiring import Backend
from regard_service.bundle import (
    AttentionLayout,
    GenerationDefaults,
    GraphSpec,
    Manifest,
    Provenance,
    Target,
    TensorSpec,
    TextSource,
    Variant,
)
from regard_service.calls.data_plane import DataPlane
from regard_service.calls.present import PresentCallers
from regard_service.domain.calls import CaptionCall, SummarizeCall, TranslateCall
from regard_service.domain.models import ModelInfo
from regard_service.domain.results import (
    AttentionMap,
    Hypothesis,
    Link,
    Result,
    Source,
    Span,
    Started,
    StreamEvent,
    Timings,
    Token,
    TokenEvent,
    Word,
)
from regard_service.engine.usage import Usage
from regard_service.glossaries.store import GlossaryStore
from regard_service.repository.administration import ModelAdministration

AnyCall = TranslateCall | SummarizeCall | CaptionCall

GRAPH = GraphSpec(file="int8/graph.onnx", inputs=(), outputs=())
MANIFEST = Manifest(
    name="everyday",
    version="2",
    task="translation",
    family="transformer",
    source_languages=("en",),
    target_languages=("de", "fr"),
    source=TextSource(tokenizer="tokenizer.json"),
    target=Target(tokenizer="tokenizer.json", vocab_size=8, start_id=0, pad_id=0, end_ids=(2,)),
    max_source_tokens=256,
    max_target_tokens=200,
    generation=GenerationDefaults(num_beams=4, max_new_tokens=128),
    attention=AttentionLayout(layers=2, heads=4, alignment_heads=((1, 0),)),
    memory=(TensorSpec(name="memory", dtype="float32", shape=("requests", "source", 8)),),
    state=(),
    variants=(Variant(precision="int8", providers=("CPUExecutionProvider",), encode=GRAPH, step=GRAPH),),
    provenance=Provenance(source="recipe everyday", data="Tatoeba", data_license="CC-BY-2.0-FR"),
    scores={"bleu/tatoeba-dev/de": 38.5},
    files={},
)
READY = ModelInfo(
    name="everyday",
    state="ready",
    manifest=MANIFEST,
    is_default=True,
    provider="CPUExecutionProvider",
    precision="int8",
    size_bytes=1000,
)
DAMAGED = ModelInfo(name="damaged", state="failed", reasons=("int8/step.onnx: is missing",))

ALIGNMENT = np.array([[0.75, 0.25], [0.25, 0.75]], np.float32)
RESULT = Result(
    hypotheses=(
        Hypothesis(
            text="Hallo",
            tokens=(Token(5, "▁Hallo", Span(0, 5), logprob=-0.5), Token(2, "</s>", None, is_special=True)),
            score=-0.25,
            finish_reason="end",
            words=(Word("Hallo", Span(0, 5), Span(0, 1)),),
            maps=(AttentionMap("alignment", ALIGNMENT, layers=(1,), heads=(0,), method="plain"),),
            links=(Link(0, 0),),
            entropy=(0.5, 0.25),
            coverage=(0.0, 0.5),
            source_coverage=(1.0, 1.0),
        ),
    ),
    source=Source(
        tokens=(Token(3, "▁Hello", Span(0, 5)), Token(2, "</s>", None, is_special=True)), num_truncated_tokens=3
    ),
    timings=Timings(1.0, 2.0, 3.0),
    model="everyday",
    version="2",
)
EVENTS: tuple[StreamEvent, ...] = (
    Started(RESULT.source, "everyday", "2"),
    TokenEvent(0, RESULT.hypotheses[0].tokens[0], "Hallo"),
    TokenEvent(1, RESULT.hypotheses[0].tokens[1], ""),
    RESULT,
)


@dataclass
class Script:
    """The behavior of the backend, and a record of what it did.

    Attributes:
        error: raised by every call.
        gate: calls wait until it is set.
        expected, entered: `entered` is set once `expected` calls have begun.
        cancelled: set when a waiting call is cancelled.
        order: "call", "drain" and "close", in the order in which they end.
    """

    error: Exception | None = None
    expected: int = 1
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    calls: list[AnyCall] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    infos: list[ModelInfo] = field(default_factory=lambda: [READY, DAMAGED])


class FakeDataPlane(DataPlane):
    def __init__(self, script: Script) -> None:
        self._script = script

    async def _wait(self, call: AnyCall) -> None:
        script = self._script
        script.calls.append(call)
        if len(script.calls) == script.expected:
            script.entered.set()
        if script.error is not None:
            raise script.error
        try:
            await script.gate.wait()
        except asyncio.CancelledError:
            script.cancelled.set()
            raise
        script.order.append("call")

    async def _canned_results(self, call: AnyCall) -> list[Result]:
        await self._wait(call)
        inputs = call.images if isinstance(call, CaptionCall) else call.texts
        return [RESULT for _ in inputs]

    async def _canned_events(self, call: AnyCall) -> AsyncIterator[StreamEvent]:
        """Yields the first event at once, the others once the gate is open."""
        if self._script.error is None:
            yield EVENTS[0]
        await self._wait(call)
        for event in EVENTS[1:]:
            yield event

    async def translate(self, call: TranslateCall) -> list[Result]:
        return await self._canned_results(call)

    def stream_translate(self, call: TranslateCall) -> AsyncIterator[StreamEvent]:
        return self._canned_events(call)

    async def summarize(self, call: SummarizeCall) -> list[Result]:
        return await self._canned_results(call)

    def stream_summarize(self, call: SummarizeCall) -> AsyncIterator[StreamEvent]:
        return self._canned_events(call)

    async def caption(self, call: CaptionCall) -> list[Result]:
        return await self._canned_results(call)

    def stream_caption(self, call: CaptionCall) -> AsyncIterator[StreamEvent]:
        return self._canned_events(call)


class FakeAdministration(ModelAdministration):
    def __init__(self, script: Script) -> None:
        self._script = script

    def infos(self) -> list[ModelInfo]:
        return self._script.infos

    async def unload(self, name: str, version: str | None) -> None:
        self._script.infos = [info for info in self._script.infos if info.name != name]

    async def wait_until_freed(self, name: str) -> None:
        pass


class FakeBackend(Backend):
    def __init__(self, script: Script) -> None:
        self.data_plane = FakeDataPlane(script)
        self.models = FakeAdministration(script)
        self.glossaries = GlossaryStore(None)
        self._script = script

    def usage(self) -> dict[str, Usage]:
        return {}

    def share(self, present: PresentCallers) -> None:
        """Has no threads."""

    def stalled_s(self) -> float:
        return 0.0

    async def drain(self, timeout_s: float) -> bool:
        self._script.order.append("drain")
        return True

    def close(self) -> None:
        self._script.order.append("close")
