"""Which engines there are, in which settings, and how each is opened."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from regard_service.app.cores import cpu_limit

from benchmarks.peers.environments import python_of
from benchmarks.peers.models import Forms
from benchmarks.peers.worker import Worker, working

REGARD, CTRANSLATE2, TRANSFORMERS, OPTIMUM = "Regard", "CTranslate2", "transformers", "optimum"
LITSERVE = "LitServe"  # with CTranslate2 in it


@dataclass(frozen=True)
class Setting:
    """An engine in one setting.

    Attributes:
        environment: variables of its process.
        open: arguments of its engine, beside the model's folder.
    """

    engine: str
    python: Path
    module: str
    folder: Path
    open: Mapping[str, Any]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Running:
    """An engine that has a model in memory, and what it says of itself."""

    engine: str
    worker: Worker
    versions: dict[str, str]
    described: str


@contextmanager
def opened(setting: Setting) -> Iterator[Running]:
    """Starts a setting's process and loads its model."""
    with working(setting.python, setting.module, setting.environment) as worker:
        told = worker.call("open", folder=str(setting.folder), **setting.open)
        yield Running(setting.engine, worker, told["versions"], told["setting"])


@dataclass(frozen=True)
class Engines:
    """The settings of each engine for one model.

    Attributes:
        environments: folder of the peers' environments.
    """

    forms: Forms
    environments: Path

    def regard(self, num_slots: int, *, precision: str = "int8", timed: bool = False) -> Setting:
        arguments = {"precision": precision, "num_workers": cpu_limit(), "num_slots": num_slots, "timed": timed}
        return Setting(REGARD, Path(sys.executable), "regard_engine", self.forms.bundle, arguments)

    def ctranslate2(
        self, inter: int, intra: int, *, mkl: bool = False, compute_type: str = "int8", **options: Any
    ) -> Setting:
        arguments = {"compute_type": compute_type, "inter_threads": inter, "intra_threads": intra, **options}
        variables = {"CT2_USE_MKL": "1"} if mkl else {}
        folder, python = self.forms.converted(compute_type), python_of(self.environments, "ctranslate2")
        return Setting(CTRANSLATE2, python, "ctranslate2_engine", folder, arguments, variables)

    def ctranslate2_settings(self, batch: int) -> list[Setting]:
        """What is searched: threads, backend, and how batches are cut."""
        cores = cpu_limit()
        shapes = [(1, 1), (1, cores)] if batch == 1 else [(cores, 1), (1, cores)]
        found = [self.ctranslate2(inter, intra) for inter, intra in shapes]
        if batch > 1:
            cuts = [(batch // 2, "examples"), (batch * 16, "tokens")]
            found += [self.ctranslate2(cores, 1, batch_size=size, batch_type=kind) for size, kind in cuts]
        return [*found, self.ctranslate2(*shapes[0], mkl=True)]

    def transformers(self, num_threads: int, *, compiled: bool = False) -> Setting:
        arguments = {"num_threads": num_threads, "compiled": compiled}
        python = python_of(self.environments, "transformers")
        return Setting(
            TRANSFORMERS, python, "transformers_engine", self.forms.checkpoint, arguments, _threads(num_threads)
        )

    def transformers_settings(self, batch: int) -> list[Setting]:
        return [self.transformers(threads) for threads in sorted({1, cpu_limit()}, reverse=True)]

    def optimum(self, num_threads: int) -> Setting:
        folder, python = self.forms.exported_by_optimum, python_of(self.environments, "optimum")
        return Setting(OPTIMUM, python, "optimum_engine", folder, {"num_threads": num_threads}, _threads(num_threads))


def _threads(number: int) -> dict[str, str]:
    return {"OMP_NUM_THREADS": str(number)}
