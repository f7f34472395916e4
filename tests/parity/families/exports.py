"""Exports families on first use, by the command, and serves their bundles."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

import regard
from regard_export.cli.commands import export_command
from regard_service.app.settings import Settings
from regard_service.bundle import Bundle, Precision
from tests.integration.conftest import running
from tests.parity.families.family import Answer, Family, Original, Raw

PRECISIONS: tuple[Precision, ...] = ("float32", "int8", "int4", "float16")


@dataclass(frozen=True, eq=False)
class Exported:
    """A family's bundle beside its original."""

    family: Family
    checkpoint: Path
    bundle: Bundle
    original: Original

    @cache  # noqa: B019 - both live as long as the tests
    def answer(self, raw: Raw, num_beams: int | None) -> Answer:
        return self.original.answer(raw, num_beams)


@dataclass
class Exports:
    """Bundles and servers in a folder.

    Args:
        families: that a server has.
    """

    folder: Path
    families: Sequence[Family]
    _exported: dict[str, Exported] = field(default_factory=dict)
    _clients: dict[Precision, regard.Client] = field(default_factory=dict)
    _running: ExitStack = field(default_factory=ExitStack)

    def of(self, family: Family) -> Exported:
        """A family's bundle, with all available precisions."""
        if family.name not in self._exported:
            (self.folder / "checkpoints").mkdir(exist_ok=True)
            checkpoint = family.write(self.folder / "checkpoints" / family.name)
            out = self.folder / "bundles" / family.name
            precisions = ",".join(precision for precision in PRECISIONS if precision not in family.refused)
            # Random weights of width 32 lose more to 8 bits than trained ones; a test examines the failed checks.
            result = export(family, checkpoint, out, "--precision", precisions, "--allow-mismatch")
            assert result.exit_code == 0, result.output
            bundle = Bundle.load(out)
            self._exported[family.name] = Exported(family, checkpoint, bundle, family.original(checkpoint, bundle))
        return self._exported[family.name]

    def client(self, precision: Precision) -> regard.Client:
        """A client of a server with every family in this precision."""
        if precision not in self._clients:
            names = [self.of(family).family.name for family in self.families if precision not in family.refused]
            serving_all = serving(self.folder / "bundles", models=tuple(names), precision=precision)
            self._clients[precision] = self._running.enter_context(serving_all)
        return self._clients[precision]

    def close(self) -> None:
        self._running.close()


@contextmanager
def serving(bundles: Path, **options: Any) -> Iterator[regard.Client]:
    """Starts a server; yields a client of it."""
    with (
        running(Settings(grpc_port=0, http_port=0, model_directories=(bundles,), num_workers=1, **options)) as server,
        regard.Client(f"127.0.0.1:{server.grpc_port}") as client,
    ):
        yield client


def export(family: Family, checkpoint: Path, out: Path, *options: str) -> Result:
    """Runs the command."""
    task = ["--task", family.load_options.task] if family.load_options.task else []
    pairs = ",".join("-".join(pair) for pair in family.load_options.languages)
    languages = ["--languages", pairs] if pairs else []
    return CliRunner().invoke(export_command, [str(checkpoint), "-o", str(out), *task, *languages, *options])
