"""From model directories to loaded models: which there are, which serve, which were refused and why."""

import logging
import os
import time
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from regard_service.bundle import Bundle, BundleError, ImageSource, Manifest, Precision, Provider, Task, Variant
from regard_service.domain import ModelInfo
from regard_service.engine.runtime.cuda import open_runner
from regard_service.engine.runtime.runner import Runner
from regard_service.errors import LoadFailed, ModelLimit, ModelNotFound, NotReady
from regard_service.pictures.reader import ImageLimits, ImageReader
from regard_service.repository.catalogue import Entry, scan
from regard_service.repository.limits import ModelLimits
from regard_service.repository.warm_up import WarmUpError, warm_up
from regard_service.text.text import SourceReader, TargetWriter

log = logging.getLogger(__name__)

PROVIDERS: tuple[Provider, ...] = ("CUDAExecutionProvider", "CPUExecutionProvider")  # the best first
PREFERRED = ("everyday",)  # the default among equals; otherwise the first by name


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model that serves: its graphs, and its way from inputs and to text.

    Attributes:
        load_s: how long it took to read and to warm up.
    """

    manifest: Manifest
    runner: Runner
    writer: TargetWriter
    reader: SourceReader | ImageReader
    folder: Path
    size_bytes: int
    load_s: float

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def provider(self) -> Provider:
        return self.runner.provider

    @property
    def precision(self) -> Precision:
        return self.runner.variant.precision


@dataclass(frozen=True)
class RefusedModel:
    """A folder that cannot be served, with every reason."""

    name: str
    manifest: Manifest | None
    reasons: tuple[str, ...]


class Repository:
    """The models of a server.

    Args:
        folders: model directories; each bundle is a folder in one of them. Of several versions of a model the newest
            serves.
        names: load these only, now and later; None loads all.
        provider: None takes the best that is available; one that is missing is an error.
        precision: None takes the variant's first that the provider can run.
        defaults: default model by task.
        image_limits: how large a picture may be; None takes the defaults.
        limits: how many models, and how much of them, may be in memory.
        num_cores: how many a large source is encoded on while nothing else is computed.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        *,
        names: Iterable[str] | None = None,
        provider: Provider | None = None,
        precision: Precision | None = None,
        defaults: dict[Task, str] | None = None,
        image_limits: ImageLimits | None = None,
        limits: ModelLimits | None = None,
        num_cores: int = 1,
    ) -> None:
        self._limits = limits or ModelLimits()
        self._image_limits = image_limits
        self._provider = provider
        self._num_cores = num_cores
        self._precision = precision
        self._defaults = defaults or {}
        self._models: dict[str, LoadedModel] = {}
        self._refused: dict[Path, RefusedModel] = {}
        self._folders = tuple(Path(folder) for folder in folders)
        self._names = None if names is None else frozenset(names)
        self._loading: set[str] = set()
        self._leaving: list[_Leaving] = []
        self._entries = scan(self._folders, self._names)
        self._load_all()
        missing = (self._names or frozenset()) - {entry.name for entry in self._entries}
        if missing:
            raise NotReady(f"no model {', '.join(sorted(missing))} in {', '.join(map(str, folders))}")
        if not self._models:
            log.warning("there is no model to serve in %s", ", ".join(map(str, folders)))

    def _load_all(self) -> None:
        """Loads of each name the newest version that can be served; a bad bundle is refused, the others serve."""
        for entry in self._entries:
            loaded = self._models.get(entry.name)
            if loaded is not None and loaded.manifest.version != entry.version:
                continue  # an older one
            try:
                if loaded is not None:
                    raise LoadFailed(entry.name, (f"another bundle is named {entry.name!r} too",))
                self.install(self._load(entry))
            except LoadFailed as error:
                self._refuse(entry, error)
            except ModelLimit as error:
                self._refuse(entry, LoadFailed(entry.name, (str(error),)))

    def read(self, name: str, version: str | None) -> LoadedModel:
        """Reads a model, the newest version unless one is named, and warms it up; may run in any thread.

        Nothing changes for those that serve.

        Raises:
            ModelNotFound: the model directories have no such model or version.
            LoadFailed: the bundle cannot be served; every reason is listed.
            ModelLimit: there is no room for it.
        """
        entries = scan(self._folders, self._names)
        self._entries = entries
        found = next((e for e in entries if e.name == name and version in (None, e.version)), None)
        if found is None:
            wanted = name if version is None else f"{name}@{version}"
            there = ", ".join(f"{entry.name}@{entry.version}" for entry in entries)
            raise ModelNotFound(f"the model directories have no model {wanted!r}; there are: {there or 'none'}")
        self._loading.add(name)
        try:
            return self._load(found)
        except LoadFailed as error:
            self._refuse(found, error)
            raise
        finally:
            self._loading.discard(name)

    def install(self, model: LoadedModel) -> LoadedModel | None:
        """Lets a model serve under its name from now on; returns the one that did until now."""
        replaced = self._models.get(model.name)
        self._models = self._models | {model.name: model}
        there = {entry.folder for entry in self._entries} - {model.folder}
        self._refused = {folder: refused for folder, refused in self._refused.items() if folder in there}
        if replaced is not None:
            self._leaving.append(_Leaving.of(replaced))
        log.info("model %s %s is ready (%s, %s)", model.name, model.manifest.version, model.provider, model.precision)
        return replaced

    def remove(self, name: str, version: str | None) -> LoadedModel:
        """Takes a model out of service: it gets no more requests. Raises ModelNotFound."""
        model = self._models.get(name)
        if model is None or version not in (None, model.manifest.version):
            loaded = ", ".join(f"{m.name}@{m.manifest.version}" for m in self._models.values())
            wanted = name if version is None else f"{name}@{version}"
            raise ModelNotFound(f"no model {wanted!r} is loaded; there are: {loaded or 'none'}")
        self._models = {other: m for other, m in self._models.items() if other != name}
        self._leaving.append(_Leaving.of(model))
        log.info("model %s %s is unloaded", name, model.manifest.version)
        return model

    def is_leaving(self, name: str) -> bool:
        """Whether a model of this name, out of service, is still in memory."""
        self._leaving = [leaving for leaving in self._leaving if leaving.is_in_memory]
        return any(leaving.info.name == name for leaving in self._leaving)

    def _refuse(self, entry: Entry, error: LoadFailed) -> None:
        self._refused = self._refused | {entry.folder: RefusedModel(entry.name, entry.manifest, error.reasons)}
        log.error("model %s is refused: %s", entry.name, "; ".join(error.reasons))

    def _load(self, entry: Entry) -> LoadedModel:
        """Reads a bundle and warms it up; raises LoadFailed, ModelLimit."""
        begin = time.monotonic()
        if entry.links:
            raise LoadFailed(entry.name, entry.links)
        try:
            bundle = Bundle.load(entry.folder)
            size = sum(os.path.getsize(bundle.path(name)) for name in bundle.manifest.files)
            self._limits.check(entry.name, size, self._sizes_beside(entry.name))
            variant, provider = self._choose(bundle)
            runner = open_runner(bundle, variant, provider, num_cores=self._num_cores)
            writer, reader = self._open_tokenizers(bundle)
            warm_up(runner, reader)
        except BundleError as error:
            raise LoadFailed(entry.name, tuple(error.reasons)) from error
        except (NotReady, WarmUpError, OSError) as error:
            raise LoadFailed(entry.name, (str(error),)) from error
        return LoadedModel(bundle.manifest, runner, writer, reader, entry.folder, size, time.monotonic() - begin)

    def _sizes_beside(self, name: str) -> list[int]:
        """Sizes of all models in memory but those of a name, which the one to load replaces."""
        leaving = [each.info for each in self._leaving if each.is_in_memory and each.info.name != name]
        return [
            *(model.size_bytes for model in self._models.values() if model.name != name),
            *(info.size_bytes or 0 for info in leaving),
        ]

    def _open_tokenizers(self, bundle: Bundle) -> tuple[TargetWriter, SourceReader | ImageReader]:
        try:
            return TargetWriter(bundle), self._open_reader(bundle)
        except Exception as error:  # the tokenizers library raises plain Exception
            raise BundleError(bundle.folder, [f"tokenizer: {error}"]) from error

    def _open_reader(self, bundle: Bundle) -> SourceReader | ImageReader:
        source = bundle.manifest.source
        return ImageReader(source, self._image_limits) if isinstance(source, ImageSource) else SourceReader(bundle)

    def _choose(self, bundle: Bundle) -> tuple[Variant, Provider]:
        """The first variant that the wanted provider and precision allow; a GPU's before any other."""
        available = Runner.available_providers()
        for provider in (self._provider,) if self._provider else PROVIDERS:
            for variant in bundle.manifest.variants:
                if (
                    provider in variant.providers
                    and provider in available
                    and variant.precision == (self._precision or variant.precision)
                ):
                    return variant, provider
        offered = ", ".join(f"{v.precision} on {'/'.join(v.providers)}" for v in bundle.manifest.variants)
        raise NotReady(
            f"no graphs for {self._precision or 'any precision'} on {self._provider or 'any provider'}: "
            f"the bundle has {offered}; here there are {', '.join(available)}"
        )

    def __iter__(self) -> Iterable[LoadedModel]:
        return iter(self._models.values())

    def get(self, name: str, task: Task) -> LoadedModel:
        """The model of that name, or of "NAME@VERSION"; raises ModelNotFound, NotReady."""
        plain, _, version = name.partition("@")
        model = self._models.get(plain)
        if model is not None and model.manifest.task == task and version in ("", model.manifest.version):
            return model
        if model is None and any(refused.name == plain for refused in self._refused.values()):
            raise NotReady(f"model {plain!r} failed to load; ListModels tells why")
        raise ModelNotFound(f"no model {name!r} for {task}; there are: {self._described(task)}")

    def default(
        self, task: Task, *, source_language: str = "", target_language: str = "", style: str = ""
    ) -> LoadedModel:
        """The model that answers where none is named; "" fits any language or style."""
        fitting = [
            model
            for model in self._models.values()
            if model.manifest.task == task
            and (not source_language or source_language in model.manifest.source_languages)
            and (not target_language or target_language in model.manifest.target_languages)
            and (not style or style in model.manifest.styles)
        ]
        if not fitting:
            asked = " ".join(filter(None, (source_language, target_language and f"to {target_language}", style)))
            raise ModelNotFound(f"no model for {task} {asked}".rstrip() + f"; there are: {self._described(task)}")
        return min(fitting, key=self._rank)

    def _rank(self, model: LoadedModel) -> tuple[bool, bool, str]:
        return self._defaults.get(model.manifest.task) != model.name, model.name not in PREFERRED, model.name

    def _described(self, task: Task) -> str:
        """What there is for a task, for error messages: names with their languages or styles."""
        described = [
            f"{m.name} ({', '.join(m.manifest.source_languages)} to {', '.join(m.manifest.target_languages)})"
            if task == "translation"
            else m.name + (f" ({', '.join(m.manifest.styles)})" if m.manifest.styles else "")
            for m in self._models.values()
            if m.manifest.task == task
        ]
        return ", ".join(sorted(described)) or "none"

    def infos(self) -> list[ModelInfo]:
        """Every model, by name: those that serve, load, leave, are refused, and those that could be loaded."""
        models = self._models.values()
        defaults = {task: min((m for m in models if m.manifest.task == task), key=self._rank) for task in self._tasks()}
        ready = [_ready(model, is_default=defaults[model.manifest.task] is model) for model in models]
        loading = [ModelInfo(name, "loading") for name in self._loading.copy()]
        leaving = [each.info for each in self._leaving if each.is_in_memory]
        refused = [ModelInfo(r.name, "failed", r.manifest, reasons=r.reasons) for r in self._refused.values()]
        known = {(info.name, info.manifest.version) for info in (*ready, *leaving) if info.manifest is not None}
        unloaded = [
            ModelInfo(entry.name, "unloaded", manifest=entry.manifest)
            for entry in self._entries
            if entry.manifest is not None
            and entry.folder not in self._refused
            and (entry.name, entry.version) not in known
        ]
        return sorted([*ready, *loading, *leaving, *refused, *unloaded], key=lambda info: info.name)

    def _tasks(self) -> set[Task]:
        return {model.manifest.task for model in self._models.values()}


@dataclass(frozen=True)
class _Leaving:
    """A model out of service, in memory as long as it has requests; what runs them keeps its runner, this does not."""

    info: ModelInfo
    runner: weakref.ref[Runner]

    @classmethod
    def of(cls, model: LoadedModel) -> "_Leaving":
        return cls(replace(_ready(model, is_default=False), state="draining"), weakref.ref(model.runner))

    @property
    def is_in_memory(self) -> bool:
        return self.runner() is not None


def _ready(model: LoadedModel, *, is_default: bool) -> ModelInfo:
    return ModelInfo(
        model.name,
        "ready",
        manifest=model.manifest,
        is_default=is_default,
        provider=model.provider,
        precision=model.precision,
        size_bytes=model.size_bytes,
        load_s=model.load_s,
    )
