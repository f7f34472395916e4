"""Which languages the loaded translators read and write, and what a server tells of itself."""

from regard_service.documents.formats import FORMATS
from regard_service.domain.models import ModelInfo
from regard_service.errors import InvalidInput, there_are
from regard_service.http.context import HttpContext
from regard_service.http.doors.backend import DoorBackend
from regard_service.http.doors.door import Answer
from regard_service.http.doors.given import Given
from regard_service.http.json_fields import shown
from regard_service.languages.english_names import english_name
from regard_service.languages.matching import match

FRONTEND_TIMEOUT_MS = 500
"""How long a page waits for the next key before it translates."""


def read_nothing(given: Given) -> None:
    """Reads a request without fields."""


async def languages(message: None, backend: DoorBackend, context: HttpContext) -> Answer:
    """Lists every language that a translator reads or writes, with the languages that it can be translated into."""
    targets = targets_by_source(backend.models())
    codes = {*targets, *(target for each in targets.values() for target in each)}
    return Answer(
        [{"code": code, "name": english_name(code), "targets": sorted(targets.get(code, ()))} for code in sorted(codes)]
    )


async def health(message: None, backend: DoorBackend, context: HttpContext) -> Answer:
    """Says that the server answers."""
    return Answer({"status": "ok"})


async def frontend_settings(message: None, backend: DoorBackend, context: HttpContext) -> Answer:
    """Tells the limits that LibreTranslate's page shows."""
    facts, targets = backend.facts, targets_by_source(backend.models())
    first = min((target for each in targets.values() for target in each), default="en")
    return Answer(
        {
            "apiKeys": facts.needs_tokens,
            "charLimit": facts.max_text_characters,
            "filesTranslation": True,
            "frontendTimeout": FRONTEND_TIMEOUT_MS,
            "keyRequired": facts.needs_tokens,
            "language": {
                "source": {"code": "auto", "name": "Auto Detect"},
                "target": {"code": first, "name": english_name(first)},
            },
            "suggestions": False,
            "supportedFilesFormat": sorted(ending for each in FORMATS for ending in each.endings),
        }
    )


def targets_by_source(models: list[ModelInfo]) -> dict[str, set[str]]:
    """Returns the languages that each language can be translated into."""
    targets: dict[str, set[str]] = {}
    for model in models:
        if model.manifest is not None and model.manifest.task == "translation":
            for source in model.manifest.source_languages:
                targets.setdefault(source, set()).update(model.manifest.target_languages)
    return targets


def unknown_language(models: list[ModelInfo], source: str, target: str) -> InvalidInput:
    """Returns the error of a pair of languages that no model translates: it names the field that is wrong."""
    targets = targets_by_source(models)
    if source.lower() != "auto" and match(source, [*targets]) is None:
        offered = there_are(sorted({*targets, "auto"}))
        return InvalidInput.of("source", f"{shown(source)} is not supported; {offered}")
    read = [source_code for source_code in targets if source.lower() == "auto" or match(source, [source_code])]
    written = {code for each in read for code in targets[each]}
    fault = f"{shown(target)} is not available from {shown(source)}; {there_are(sorted(written))}"
    return InvalidInput.of("target", fault)
