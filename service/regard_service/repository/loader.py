"""Loads a bundle: its graphs on an execution provider, its tokenizers or its picture reader, and a warm-up."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from regard_service.bundle import Bundle, BundleError, Manifest, Precision, Provider, Variant, is_shipped
from regard_service.domain.models import ModelInfo
from regard_service.engine.runtime.cuda import open_runner
from regard_service.engine.runtime.runner import Runner
from regard_service.errors import LoadFailed, NotReady
from regard_service.pictures.reader import ImageLimits
from regard_service.repository.catalogue import CatalogueEntry
from regard_service.repository.readers import InputReader, open_reader
from regard_service.repository.warm_up import WarmUpError, warm_up
from regard_service.text.given import TargetReader
from regard_service.text.phrases import PhraseWriter
from regard_service.text.writing import TargetWriter
from regard_service.validation.generation import GenerationResolver

PROVIDERS: tuple[Provider, ...] = ("CUDAExecutionProvider", "CPUExecutionProvider")  # best first


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model in memory: the runner of its graphs, and what reads its inputs and writes its text.

    Attributes:
        text_writer: None for models that write no text.
        load_s: the time that reading and warming up took.
    """

    manifest: Manifest
    runner: Runner
    text_writer: TargetWriter | None
    target_reader: TargetReader | None
    reader: InputReader
    folder: Path
    size_bytes: int
    load_s: float

    @property
    def name(self) -> str:
        """The manifest's name."""
        return self.manifest.name

    @property
    def writer(self) -> TargetWriter:
        """Writes texts. Raises ValueError for a model that writes none."""
        if self.text_writer is None:
            raise ValueError(f"model {self.name!r} writes no text")
        return self.text_writer

    @cached_property
    def phrases(self) -> PhraseWriter:
        """Writes terms and prefixes."""
        reader = self.target_reader or self.writer
        return PhraseWriter(self.writer, reader.encode)

    @cached_property
    def generations(self) -> GenerationResolver:
        """Resolves the generation options of calls."""
        return GenerationResolver(self.manifest)

    @property
    def provider(self) -> Provider:
        """The execution provider of the runner."""
        return self.runner.provider

    @property
    def precision(self) -> Precision:
        """The precision of the graphs that run."""
        return self.runner.variant.precision

    def info(self, *, is_default: bool = False) -> ModelInfo:
        """Describes the model in state "ready"."""
        return ModelInfo(
            self.name,
            "ready",
            manifest=self.manifest,
            is_default=is_default,
            provider=self.provider,
            precision=self.precision,
            size_bytes=self.size_bytes,
            load_s=self.load_s,
            is_demonstration=is_shipped(self.folder),
        )


@dataclass(frozen=True)
class ModelLoader:
    """Loads bundles.

    Attributes:
        provider: None takes the best that is available; a named one that is missing is an error.
        precision: None takes the first variant that the provider can run.
        image_limits: None takes the defaults.
        num_cores: cores that encode a large source while the engine computes nothing else.
    """

    provider: Provider | None = None
    precision: Precision | None = None
    image_limits: ImageLimits | None = None
    num_cores: int = 1

    @property
    def is_particular(self) -> bool:
        """Whether only some variants of bundles will do."""
        return self.provider is not None or self.precision is not None

    def load(self, entry: CatalogueEntry, check_size: Callable[[int], None]) -> LoadedModel:
        """Reads a bundle and warms it up; may run in any thread.

        Args:
            check_size: gets the size of the bundle's files, in bytes, before its graphs are opened; may raise.

        Raises:
            LoadFailed: the bundle cannot be served; every reason is listed.
        """
        begin = time.monotonic()
        if entry.links:
            raise LoadFailed(entry.name, entry.links)
        try:
            bundle = Bundle.load(entry.folder)
            size_bytes = sum(os.path.getsize(bundle.path(name)) for name in bundle.manifest.files)
            check_size(size_bytes)
            variant, provider = self._choose(bundle)
            runner = open_runner(bundle, variant, provider, num_cores=self.num_cores)
            writer, reader = self._open_tokenizers(bundle)
            target_reader = self._open_target_reader(bundle, writer)
            warm_up(runner, reader)
        except BundleError as error:
            raise LoadFailed(entry.name, tuple(error.reasons)) from error
        except (NotReady, WarmUpError, OSError) as error:
            raise LoadFailed(entry.name, (str(error),)) from error
        load_s = time.monotonic() - begin
        return LoadedModel(bundle.manifest, runner, writer, target_reader, reader, entry.folder, size_bytes, load_s)

    def _open_tokenizers(self, bundle: Bundle) -> tuple[TargetWriter | None, InputReader]:
        try:
            writer = TargetWriter(bundle) if bundle.manifest.has_decoder else None
            return writer, open_reader(bundle, self.image_limits)
        except Exception as error:  # the tokenizers library raises plain Exception
            raise BundleError(bundle.folder, [f"tokenizer: {error}"]) from error

    def _open_target_reader(self, bundle: Bundle, writer: TargetWriter | None) -> TargetReader | None:
        """Returns what reads given targets; None for models that cannot score them."""
        if writer is None or not bundle.manifest.scores_targets:
            return None
        try:
            return TargetReader(bundle, writer)
        except Exception as error:  # the tokenizers library raises plain Exception
            raise BundleError(bundle.folder, [f"tokenizer: {error}"]) from error

    def _choose(self, bundle: Bundle) -> tuple[Variant, Provider]:
        """Returns the first variant that provider and precision allow, and its provider; a GPU is preferred."""
        available = Runner.available_providers()
        for provider in (self.provider,) if self.provider else PROVIDERS:
            for variant in bundle.manifest.variants:
                if (
                    provider in variant.providers
                    and provider in available
                    and variant.precision == (self.precision or variant.precision)
                ):
                    return variant, provider
        offered = ", ".join(f"{v.precision} on {'/'.join(v.providers)}" for v in bundle.manifest.variants)
        raise NotReady(
            f"no graphs for {self.precision or 'any precision'} on {self.provider or 'any provider'}: "
            f"the bundle has {offered}; here there are {', '.join(available)}"
        )
