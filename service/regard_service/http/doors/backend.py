"""What doors call: the methods of the API, and what they know."""

from collections.abc import AsyncGenerator, Callable, Sequence

from regard.v1 import regard_pb2 as pb
from regard_service.calls.data_plane import DataPlane
from regard_service.domain.documents import DocumentEvent
from regard_service.domain.elements import NO_RULES, ElementRules
from regard_service.domain.models import ModelInfo
from regard_service.domain.outputs import EncodeResult
from regard_service.domain.results import Result
from regard_service.glossaries.store import GlossaryStore
from regard_service.http.context import HttpContext
from regard_service.http.doors.background import BackgroundDocuments
from regard_service.http.doors.characters import Characters
from regard_service.http.doors.facts import ServerFacts
from regard_service.languages.detection import DetectedLanguage
from regard_service.repository.administration import ModelAdministration
from regard_service.rpc.servicers.attention import AttentionServicer
from regard_service.rpc.servicers.open_inference import OpenInferenceServicer


class DoorBackend:
    """The servicers of the API, which read, check, run and record the calls of doors too.

    Attributes:
        glossaries: keeps glossaries; blocks.
        open_inference: the servicer of the Open Inference Protocol.
        documents: translates files whose callers ask later how far they are.
        characters: counts what callers send.
        facts: the server's limits.
    """

    def __init__(
        self,
        attention: AttentionServicer,
        data_plane: DataPlane,
        models: ModelAdministration,
        glossaries: GlossaryStore,
        open_inference: OpenInferenceServicer,
        documents: BackgroundDocuments,
        characters: Characters,
        facts: ServerFacts,
    ) -> None:
        self._attention = attention
        self._data_plane = data_plane
        self._models = models
        self.glossaries = glossaries
        self.open_inference = open_inference
        self.documents = documents
        self.characters = characters
        self.facts = facts

    async def translate(
        self, request: pb.TranslateRequest, context: HttpContext, elements: ElementRules = NO_RULES
    ) -> list[Result]:
        """Translates texts; one result per text. Violations have the paths of `request`: see `InvalidInput.renamed`.

        Args:
            elements: what the caller says about elements of markup.
        """
        return await self._attention.translated(request, context, elements)

    async def summarize(self, request: pb.SummarizeRequest, context: HttpContext) -> list[Result]:
        """Summarizes texts; one result per text."""
        return await self._attention.summarized(request, context)

    async def caption(self, request: pb.CaptionRequest, context: HttpContext) -> list[Result]:
        """Describes pictures; one result per picture."""
        return await self._attention.captioned(request, context)

    async def encode(self, request: pb.EncodeRequest, context: HttpContext) -> list[EncodeResult]:
        """Turns texts into vectors; one result per text."""
        return await self._attention.encoded(request, context)

    def translate_document(
        self, request: pb.TranslateDocumentRequest, context: HttpContext
    ) -> AsyncGenerator[DocumentEvent, None]:
        """Translates a file and yields its events. The caller closes the iterator."""
        return self._attention.document_events(request, context)

    async def apart(self, function: Callable[[], bytes]) -> bytes:
        """Runs what would block the event loop, of a call's answer, in a thread."""
        return await self._data_plane.apart(function)

    async def detect(self, texts: Sequence[str]) -> Sequence[DetectedLanguage]:
        """Returns the languages of texts, among those that the loaded models read."""
        return await self._data_plane.detect(texts)

    def all_models(self) -> list[ModelInfo]:
        """Describes the models in any state."""
        return self._models.infos()

    def models(self) -> list[ModelInfo]:
        """Describes the models that serve, by name."""
        return [model for model in self._models.infos() if model.state == "ready" and model.manifest is not None]
