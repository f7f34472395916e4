"""What a caller learns about the models of a server."""

from collections.abc import Iterable
from dataclasses import dataclass

from regard import names
from regard_service.bundle import Manifest, Precision, Provider, Task, version_key
from regard_service.errors import ModelNotFound, there_are

ModelState = names.ModelState


@dataclass(frozen=True)
class ModelInfo:
    """One model as ListModels describes it.

    Attributes:
        manifest: None where no manifest could be read.
        reasons: why a failed model cannot be served.
        load_s: the time that reading and warming up took; None unless the model is in memory.
        is_demonstration: whether the model ships with Regard.
    """

    name: str
    state: ModelState
    manifest: Manifest | None = None
    is_default: bool = False
    provider: Provider | None = None
    precision: Precision | None = None
    size_bytes: int = 0
    reasons: tuple[str, ...] = ()
    load_s: float | None = None
    is_demonstration: bool = False

    @property
    def version(self) -> str:
        """The manifest's version; "" without a manifest."""
        return "" if self.manifest is None else self.manifest.version

    @property
    def task(self) -> Task | None:
        """The manifest's task; None without a manifest."""
        return None if self.manifest is None else self.manifest.task


def in_order(models: Iterable[ModelInfo]) -> list[ModelInfo]:
    """Sorts models by name; versions of one name are newest first."""
    newest_first = sorted(models, key=lambda model: version_key(model.version), reverse=True)
    return sorted(newest_first, key=lambda model: model.name)


def find(models: Iterable[ModelInfo], name: str, version: str | None) -> ModelInfo:
    """Returns the model of a name and version. Without a version, the version that serves or else the newest.

    Raises:
        ModelNotFound: there is no such model.
    """
    models = in_order(models)
    named = [model for model in models if model.name == name and version in (None, model.version)]
    if not named:
        wanted = name if version is None else f"{name}@{version}"
        known = there_are(f"{model.name}@{model.version}" for model in models)
        raise ModelNotFound(f"there is no model {wanted!r}; {known}")
    return next((model for model in named if model.state == "ready"), named[0])


def unready_reasons(models: Iterable[ModelInfo]) -> list[str]:
    """Returns why requests that name no model cannot be served; empty if they can."""
    defaults = [model for model in models if model.is_default]
    if not defaults:
        return ["there is no default model"]
    return [f"model {model.name} is {model.state}" for model in defaults if model.state != "ready"]
