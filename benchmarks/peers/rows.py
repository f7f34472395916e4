"""The interface of the table's rows, and the rows that compare engines without a server."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.engines import CTRANSLATE2, OPTIMUM, TRANSFORMERS, Engines, Setting
from benchmarks.peers.jobs import Job
from benchmarks.peers.models import Model, ModelFiles
from benchmarks.peers.results import EngineResult, Figure
from benchmarks.peers.rounds import Plan, Stage, compare, fastest_setting, open_engines, ratio
from regard_service.app.cores import cpu_limit

AGAINST_TRANSFORMERS = (4.0, 8.0)  # needed and goal of every row


@dataclass(frozen=True)
class Context:
    """Settings of all rows.

    Attributes:
        models: folder of the models' files.
        environments: folder of the peers' environments.
        data: folder of data sets; None without data.
        peers: names of the compared engines.
        stale: use existing bundles even if the export code has changed.
        stage: reports progress.
    """

    models: Path
    environments: Path
    data: Path | None
    plan: Plan
    peers: frozenset[str]
    stale: bool
    stage: Stage

    def engines(self, model: Model) -> Engines:
        """The engines' settings for a model."""
        return Engines(ModelFiles(self.models, model), self.environments)


@dataclass(frozen=True)
class Findings:
    """The result of a row's measurement."""

    figures: tuple[Figure, ...]
    engines: tuple[EngineResult, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        name: its name for `--rows`.
        model: the model to prepare.
        is_long: whether the row runs only if `--rows` names it.
    """

    name: str
    title: str
    model: Model
    measure: Callable[[Context], Findings]
    is_long: bool = False


@dataclass(frozen=True)
class BatchRow:
    """Compares engines without a server, `batch` sources at a time.

    Attributes:
        job: makes the job, in groups of `batch` sources.
        needed, goal: targets for tokens per second over CTranslate2's; None without a target.
    """

    model: Model
    batch: int
    job: Callable[[Context], Job]
    needed: float | None = None
    goal: float | None = None
    num_beams: int = 1

    def __call__(self, context: Context) -> Findings:
        job, engines = self.job(context), context.engines(self.model)
        chosen, notes = [engines.regard(max(self.batch, 1) * self.num_beams)], []
        for settings in self._peers(engines, context):
            search_job = job.sample
            setting, note = fastest_setting(settings, search_job, context.plan, context.stage)
            chosen.append(setting)
            notes.append(note)
        slow = frozenset({TRANSFORMERS, OPTIMUM})
        with open_engines(chosen) as running:
            regard, *others = compare(running, job, context.plan, slow, context.stage)
        targets = {CTRANSLATE2: (self.needed, self.goal), TRANSFORMERS: AGAINST_TRANSFORMERS}
        figures = []
        for other in others:
            needed, goal = targets.get(other.running.engine, (None, None))
            what = f"times {other.running.engine}'s tokens/s"
            figures.append(Figure(what=what, value=ratio(regard, other), needed=needed, goal=goal))
        found = tuple(EngineResult.of(each) for each in (regard, *others))
        return Findings(tuple(figures), found, tuple(note for note in notes if note))

    def _peers(self, engines: Engines, context: Context) -> Sequence[list[Setting]]:
        searched = {
            CTRANSLATE2: engines.ctranslate2_settings(self.batch) if self.model.in_ctranslate2 else [],
            TRANSFORMERS: engines.transformers_settings(self.batch),
            OPTIMUM: [engines.optimum(cpu_limit())],
        }
        return [settings for name, settings in searched.items() if settings and name in context.peers]
