"""Chooses among loaded models: the one that a call names, or the preferred one that fits."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from regard_service.bundle import Task
from regard_service.errors import ModelNotFound, there_are
from regard_service.languages.english_names import english_name
from regard_service.languages.matching import match
from regard_service.repository.loader import LoadedModel
from regard_service.validation.suggestions import closest


@dataclass(frozen=True)
class ModelPreference:
    """Which of several fitting models answers a call that names none: the task's default, else the first of the
    preferred names, else the first by name.

    Attributes:
        defaults: names by task.
        preferred: names, best first.
    """

    defaults: Mapping[Task, str] = field(default_factory=dict)
    preferred: tuple[str, ...] = ()

    def best(self, models: Iterable[LoadedModel]) -> LoadedModel:
        """Returns the preferred model of several that fit."""
        return min(models, key=self._rank)

    def default(
        self,
        models: Iterable[LoadedModel],
        task: Task,
        *,
        source_language: str = "",
        target_language: str = "",
        style: str = "",
    ) -> LoadedModel:
        """Returns the model that answers; "" fits any language or style. Languages match as BCP 47 codes do; a
        model with the very codes goes before others.

        Raises:
            ModelNotFound: no model fits.
        """
        of_task = [model for model in models if model.manifest.task == task]
        fitting = [
            model
            for model in of_task
            if (not source_language or match(source_language, model.manifest.source_languages))
            and (not target_language or match(target_language, model.manifest.target_languages))
            and (not style or style in model.manifest.styles)
        ]
        if not fitting:
            given = " ".join(filter(None, (source_language, target_language and f"to {target_language}", style)))
            advice = _meant(of_task, source_language, target_language)
            raise ModelNotFound(f"no model for {task} {given}".rstrip() + f"; {there_are(described(of_task))}{advice}")
        spelled_so = [
            model
            for model in fitting
            if source_language in ("", *model.manifest.source_languages)
            and target_language in ("", *model.manifest.target_languages)
        ]
        return self.best(spelled_so or fitting)

    def _rank(self, model: LoadedModel) -> tuple[bool, int, str]:
        is_default = self.defaults.get(model.manifest.task) == model.name
        place = self.preferred.index(model.name) if model.name in self.preferred else len(self.preferred)
        return not is_default, place, model.name


def _meant(models: Sequence[LoadedModel], source_language: str, target_language: str) -> str:
    """Returns advice for the language that no model has, where it is an English name."""
    written = {code for model in models for code in model.manifest.target_languages}
    read = {code for model in models for code in model.manifest.source_languages}
    return meant_language(target_language, sorted(written)) or meant_language(source_language, sorted(read))


def meant_language(name: str, offered: Iterable[str]) -> str:
    """Returns "; did you mean 'de'?" for "German" where "de" is offered, to end an error; "" for other names."""
    by_name = {english_name(code): code for code in offered}
    named = closest(name, by_name)
    return "" if named is None else f"; did you mean {by_name[named]!r}?"


def described(models: Iterable[LoadedModel]) -> list[str]:
    """Lists models with their languages or styles, for error messages."""
    return sorted(map(_describe, models))


def _describe(model: LoadedModel) -> str:
    manifest = model.manifest
    if manifest.task == "translation":
        return f"{model.name} ({', '.join(manifest.source_languages)} to {', '.join(manifest.target_languages)})"
    return model.name + (f" ({', '.join(manifest.styles)})" if manifest.styles else "")
