"""From model directories to loaded models: which there are, which serve, which were refused and why."""

import json
import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.bundle import MANIFEST, NAME, Bundle, BundleError, ImageSource, Manifest, Precision, Provider, Task, Variant
from service.domain import ModelInfo
from service.engine.runner import Runner
from service.errors import ModelNotFound, NotReady
from service.pipelines.image import ImageLimits, ImageReader
from service.pipelines.text import SourceReader, TargetWriter

log = logging.getLogger(__name__)

PROVIDERS: tuple[Provider, ...] = ("CUDAExecutionProvider", "CPUExecutionProvider")  # the best first
PREFERRED = ("everyday",)  # the default among equals; otherwise the first by name


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model that serves: its graphs, and its way from inputs and to text."""

    manifest: Manifest
    runner: Runner
    writer: TargetWriter
    reader: SourceReader | ImageReader
    size_bytes: int

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
    reasons: tuple[str, ...]


class Repository:
    """The models of a server.

    Args:
        folders: model directories; each bundle is a folder in one of them. A name met again is refused.
        names: load these only; None loads all.
        provider: None takes the best that is available; one that is missing is an error.
        precision: None takes the variant's first that the provider can run.
        defaults: default model by task.
        image_limits: how large a picture may be; None takes the defaults.
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
    ) -> None:
        self._image_limits = image_limits
        self._provider = provider
        self._precision = precision
        self._defaults = defaults or {}
        self._models: dict[str, LoadedModel] = {}
        self._refused: dict[str, RefusedModel] = {}
        wanted = set(names) if names is not None else None
        for folder in folders:
            for bundle_folder in sorted(path.parent for path in Path(folder).glob(f"*/{MANIFEST}")):
                if wanted is None or _name_of(bundle_folder) in wanted:
                    self._add(bundle_folder)
        missing = (wanted or set()) - self._models.keys() - self._refused.keys()
        if missing:
            raise NotReady(f"no model {', '.join(sorted(missing))} in {', '.join(map(str, folders))}")
        if not self._models:
            log.warning("there is no model to serve in %s", ", ".join(map(str, folders)))

    def _add(self, folder: Path) -> None:
        """Loads a bundle; a bad one is refused, and the others keep serving."""
        try:
            model = self._load(folder)
            if model.name in self._models:
                raise BundleError(folder, [f"another bundle is named {model.name!r} too"])
        except (BundleError, NotReady) as error:
            reasons = tuple(error.reasons) if isinstance(error, BundleError) else (str(error),)
            name = _name_of(folder)
            self._refused[name] = RefusedModel(name, reasons)
            log.error("model %s is refused: %s", name, "; ".join(reasons))
            return
        self._models[model.name] = model
        log.info("model %s %s is ready (%s, %s)", model.name, model.manifest.version, model.provider, model.precision)

    def _load(self, folder: Path) -> LoadedModel:
        bundle = Bundle.load(folder)
        variant, provider = self._choose(bundle)
        runner = Runner(bundle, variant, provider)
        try:
            writer = TargetWriter(bundle)
            reader = self._open_reader(bundle)
        except Exception as error:  # the tokenizers library raises plain Exception
            raise BundleError(folder, [f"tokenizer: {error}"]) from error
        size = sum(os.path.getsize(bundle.path(name)) for name in bundle.manifest.files)
        return LoadedModel(bundle.manifest, runner, writer, reader, size)

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
        if plain in self._refused:
            raise NotReady(f"model {plain!r} failed to load; ListModels tells why")
        raise ModelNotFound(f"no model {name!r} for {task}; there are: {self._names(task)}")

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
            raise ModelNotFound(f"no model for {task} {asked}".rstrip() + f"; there are: {self._names(task)}")
        return min(fitting, key=self._rank)

    def _rank(self, model: LoadedModel) -> tuple[bool, bool, str]:
        return self._defaults.get(model.manifest.task) != model.name, model.name not in PREFERRED, model.name

    def _names(self, task: Task) -> str:
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
        """Every model, by name; refused ones among them."""
        ready = [
            ModelInfo(
                m.name,
                "ready",
                manifest=m.manifest,
                is_default=min((o for o in self._models.values() if o.manifest.task == m.manifest.task), key=self._rank)
                is m,
                provider=m.provider,
                precision=m.precision,
                size_bytes=m.size_bytes,
            )
            for m in self._models.values()
        ]
        refused = [ModelInfo(r.name, "failed", reasons=r.reasons) for r in self._refused.values()]
        return sorted(ready + refused, key=lambda info: info.name)


def _name_of(folder: Path) -> str:
    """The name that a bundle's manifest gives it; the folder's where that cannot be read."""
    try:
        name = json.loads((folder / MANIFEST).read_bytes())["name"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return folder.name
    return name if isinstance(name, str) and NAME.fullmatch(name) else folder.name
