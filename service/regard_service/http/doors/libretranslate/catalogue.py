"""Which languages the loaded translators read and write, and what a server tells of itself."""

from regard_service.domain.models import ModelInfo
from regard_service.http.context import HttpContext
from regard_service.http.doors.backend import DoorBackend
from regard_service.http.doors.door import Answer
from regard_service.languages.english_names import english_name


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


def targets_by_source(models: list[ModelInfo]) -> dict[str, set[str]]:
    """Returns the languages that each language can be translated into."""
    targets: dict[str, set[str]] = {}
    for model in models:
        if model.manifest is not None and model.manifest.task == "translation":
            for source in model.manifest.source_languages:
                targets.setdefault(source, set()).update(model.manifest.target_languages)
    return targets
