"""The models of a server in every state: ready, loading, draining, failed, unloaded."""

import logging
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from regard_service.bundle import Manifest, Task, is_shipped
from regard_service.domain.models import ModelInfo
from regard_service.engine.runtime.runner import Runner
from regard_service.errors import LoadFailed, ModelLimit, ModelNotFound, NotReady, there_are
from regard_service.languages.matching import match
from regard_service.repository.catalogue import CatalogueEntry, scan
from regard_service.repository.limits import ModelLimits
from regard_service.repository.loader import LoadedModel, ModelLoader
from regard_service.repository.preference import ModelPreference, described
from regard_service.validation.suggestions import closest

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RefusedModel:
    """A folder that cannot be served, with every reason."""

    name: str
    manifest: Manifest | None
    reasons: tuple[str, ...]


class ModelRepository:
    """The models of a server. Of several versions of a model, one serves: the newest, unless LoadModel names another.

    Args:
        folders: model directories; each bundle is a folder in one of them.
        names: loads these only, now and later; None loads all.
        loader: loads bundles; None takes the defaults.
        limits: of the models in memory; None: no limits.
        preference: chooses the model of calls that name none; None takes the first by name.

    Raises:
        NotReady: a name of `names` or of the preference's defaults is in no folder, a default has another task, or no
            bundle can be served with the provider or precision that the loader is bound to.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        *,
        names: Iterable[str] | None = None,
        loader: ModelLoader | None = None,
        limits: ModelLimits | None = None,
        preference: ModelPreference | None = None,
    ) -> None:
        self._folders = tuple(Path(folder) for folder in folders)
        self._names = None if names is None else frozenset(names)
        self._loader = loader or ModelLoader()
        self._limits = limits or ModelLimits()
        self._preference = preference or ModelPreference()
        self._models: dict[str, LoadedModel] = {}
        self._refused: dict[Path, RefusedModel] = {}
        self._loading: set[str] = set()
        self._draining: list[_DrainingModel] = []
        self._entries = scan(self._folders, self._names)
        self._load_all()
        self._check_names(self._names or frozenset())
        self._check_defaults()
        if self._models:
            return
        if self._refused and self._loader.is_particular:
            reasons = [f"{refused.name}: {'; '.join(refused.reasons)}" for refused in self._refused.values()]
            raise NotReady(f"no model can be served: {'; '.join(reasons)}")
        log.warning("there is no model to serve in %s", ", ".join(map(str, self._folders)))

    def _check_names(self, names: frozenset[str]) -> None:
        """Raises NotReady for a name that no bundle has."""
        missing = sorted(names - {entry.name for entry in self._entries})
        if missing:
            there = sorted({entry.name for entry in scan(self._folders, None)})
            searched = ", ".join(map(str, self._folders))
            close = closest(missing[0], there)
            meant = f"; did you mean {close!r}?" if close else ""
            raise NotReady(f"no model {', '.join(missing)} in {searched}; {there_are(there)}{meant}")

    def _check_defaults(self) -> None:
        """Raises NotReady for a default that no bundle has, or that has another task."""
        self._check_names(frozenset(self._preference.defaults.values()))
        for task, name in self._preference.defaults.items():
            tasks = {entry.manifest.task for entry in self._entries if entry.name == name and entry.manifest}
            if tasks and task not in tasks:
                raise NotReady(f"default_models: {name} is no model for {task}, but for {', '.join(sorted(tasks))}")

    def entries(self) -> list[CatalogueEntry]:
        """Lists the bundles that the model directories have now, by name and then newest first."""
        self._entries = scan(self._folders, self._names)
        return self._entries

    def use_cores(self, number: int) -> None:
        """Encodes a large source on this many cores, by the models that are loaded and those that will be.

        For a process that was forked after the models were loaded: the threads of such a session do not survive a fork.
        """
        self._loader = replace(self._loader, num_cores=number)
        for model in self._models.values():
            model.runner.use_cores(number)

    def _load_all(self) -> None:
        """Loads the newest version of each name that can be served. A bad bundle is refused; the others serve."""
        for entry in self._entries:
            loaded = self._models.get(entry.name)
            if loaded is not None and loaded.manifest.version != entry.version:
                continue  # an older version
            try:
                if loaded is not None:
                    raise LoadFailed(entry.name, (f"another bundle is named {entry.name!r} too",))
                self.install(self._load(entry))
            except LoadFailed as error:
                self._refuse(entry, error)
            except ModelLimit as error:
                self._refuse(entry, LoadFailed(entry.name, (str(error),)))

    def read(self, name: str, version: str | None) -> LoadedModel:
        """Reads a model and warms it up; may run in any thread. The models that serve do not change.

        Args:
            version: None takes the newest.

        Raises:
            ModelNotFound: the model directories have no such model or version.
            LoadFailed: the bundle cannot be served; every reason is listed.
            ModelLimit: the model does not fit beside the others.
        """
        entries = scan(self._folders, self._names)
        self._entries = entries
        found = next((e for e in entries if e.name == name and version in (None, e.version)), None)
        if found is None:
            there = there_are(f"{entry.name}@{entry.version}" for entry in entries)
            raise ModelNotFound(f"the model directories have no model {_named(name, version)!r}; {there}")
        self._loading.add(name)
        try:
            return self._load(found)
        except LoadFailed as error:
            self._refuse(found, error)
            raise
        finally:
            self._loading.discard(name)

    def install(self, model: LoadedModel) -> LoadedModel | None:
        """Makes a model serve under its name; returns the model that it replaces."""
        replaced = self._models.get(model.name)
        self._models = self._models | {model.name: model}
        there = {entry.folder for entry in self._entries} - {model.folder}
        self._refused = {folder: refused for folder, refused in self._refused.items() if folder in there}
        if replaced is not None:
            self._draining.append(_DrainingModel.of(replaced))
        log.info("model %s %s is ready (%s, %s)", model.name, model.manifest.version, model.provider, model.precision)
        return replaced

    def remove(self, name: str, version: str | None) -> LoadedModel:
        """Takes a model out of service: it gets no new requests. Raises ModelNotFound."""
        model = self._models.get(name)
        if model is None or version not in (None, model.manifest.version):
            loaded = there_are(f"{m.name}@{m.manifest.version}" for m in self._models.values())
            raise ModelNotFound(f"no model {_named(name, version)!r} is loaded; {loaded}")
        self._models = {other: m for other, m in self._models.items() if other != name}
        self._draining.append(_DrainingModel.of(model))
        log.info("model %s %s is unloaded", name, model.manifest.version)
        return model

    def is_draining(self, name: str) -> bool:
        """Whether a model of this name is out of service and still in memory."""
        self._draining = [draining for draining in self._draining if draining.is_in_memory]
        return any(draining.info.name == name for draining in self._draining)

    def get(self, name: str, task: Task) -> LoadedModel:
        """Returns the model of a name, or of "NAME@VERSION"; raises ModelNotFound, NotReady."""
        plain, _, version = name.partition("@")
        model = self._models.get(plain)
        if model is not None and model.manifest.task == task and version in ("", model.manifest.version):
            return model
        if model is None and any(refused.name == plain for refused in self._refused.values()):
            raise NotReady(f"model {plain!r} failed to load; ListModels tells why")
        of_task = [model for model in self._models.values() if model.manifest.task == task]
        close = closest(plain, [each.name for each in of_task if each.name != plain])
        meant = f"; did you mean {close!r}?" if close else ""
        if model is not None and model.manifest.task == task:
            meant = f"; of {plain!r}, version {model.manifest.version} serves"
        raise ModelNotFound(f"no model {name!r} for {task}; {there_are(described(of_task))}{meant}")

    def default(
        self, task: Task, *, source_language: str = "", target_language: str = "", style: str = ""
    ) -> LoadedModel:
        """Returns the model of calls that name none; "" fits any language or style. Raises ModelNotFound."""
        return self._preference.default(
            self._models.values(),
            task,
            source_language=source_language,
            target_language=target_language,
            style=style,
        )

    def source_languages(self, target_language: str) -> tuple[str, ...]:
        """Returns the languages from which the loaded models translate into a language, or into any for ""."""
        translators = [model.manifest for model in self._models.values() if model.manifest.task == "translation"]
        writers = [m for m in translators if not target_language or match(target_language, m.target_languages)]
        return tuple(dict.fromkeys(language for manifest in writers for language in manifest.source_languages))

    def languages(self) -> tuple[str, ...]:
        """Returns the languages that the loaded translators read or write."""
        manifests = [model.manifest for model in self._models.values() if model.manifest.task == "translation"]
        sides = [side for manifest in manifests for side in (manifest.source_languages, manifest.target_languages)]
        return tuple(dict.fromkeys(language for side in sides for language in side))

    def infos(self) -> list[ModelInfo]:
        """Describes every model, by name, in any state."""
        ready = self._ready()
        loading = [ModelInfo(name, "loading") for name in self._loading.copy()]
        draining = [each.info for each in self._draining if each.is_in_memory]
        refused = [ModelInfo(r.name, "failed", r.manifest, reasons=r.reasons) for r in self._refused.values()]
        unloaded = self._unloaded([*ready, *draining])
        return sorted([*ready, *loading, *draining, *refused, *unloaded], key=lambda info: info.name)

    def _ready(self) -> list[ModelInfo]:
        by_task: dict[Task, list[LoadedModel]] = {}
        for model in self._models.values():
            by_task.setdefault(model.manifest.task, []).append(model)
        defaults = [self._preference.best(models) for models in by_task.values()]
        return [model.info(is_default=model in defaults) for model in self._models.values()]

    def _unloaded(self, in_memory: Iterable[ModelInfo]) -> list[ModelInfo]:
        """Describes the models on disk that could be loaded."""
        known = {(info.name, info.version) for info in in_memory}
        return [
            ModelInfo(entry.name, "unloaded", manifest=entry.manifest, is_demonstration=is_shipped(entry.folder))
            for entry in self._entries
            if entry.manifest is not None
            and entry.folder not in self._refused
            and (entry.name, entry.version) not in known
        ]

    def _load(self, entry: CatalogueEntry) -> LoadedModel:
        return self._loader.load(entry, partial(self._check_size, entry.name))

    def _check_size(self, name: str, size_bytes: int) -> None:
        self._limits.check(name, size_bytes, self._sizes_beside(name))

    def _sizes_beside(self, name: str) -> list[int]:
        """Returns the sizes of all models in memory but those of a name, which the model to load replaces."""
        draining = [each.info for each in self._draining if each.is_in_memory and each.info.name != name]
        return [
            *(model.size_bytes for model in self._models.values() if model.name != name),
            *(info.size_bytes or 0 for info in draining),
        ]

    def _refuse(self, entry: CatalogueEntry, error: LoadFailed) -> None:
        self._refused = self._refused | {entry.folder: RefusedModel(entry.name, entry.manifest, error.reasons)}
        log.error("model %s is refused: %s", entry.name, "; ".join(error.reasons))


@dataclass(frozen=True)
class _DrainingModel:
    """A model out of service. It stays in memory until its last request ends, whose batch holds the runner."""

    info: ModelInfo
    runner: weakref.ref[Runner]

    @classmethod
    def of(cls, model: LoadedModel) -> "_DrainingModel":
        return cls(replace(model.info(), state="draining"), weakref.ref(model.runner))

    @property
    def is_in_memory(self) -> bool:
        return self.runner() is not None


def _named(name: str, version: str | None) -> str:
    return name if version is None else f"{name}@{version}"
