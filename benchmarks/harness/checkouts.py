"""Where the code of a commit lies, and how a process imports exactly that code."""

import os
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]

# Folders that hold one import package each, named regard_<folder>.
DISTRIBUTIONS = ("service", "models", "export")


@dataclass(frozen=True)
class Checkout:
    """The files of one commit, or the working tree.

    Attributes:
        name: the commit's short hash, with "+" if files have changed since.
        folder: absolute path of its root.
    """

    name: str
    folder: Path

    @property
    def import_roots(self) -> tuple[Path, ...]:
        """The folders that PYTHONPATH lists. Commits before 0.2.0 have all packages at the root."""
        nested = (self.folder / each for each in DISTRIBUTIONS if (self.folder / each / f"regard_{each}").is_dir())
        return (self.folder, *nested)

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which a process imports this checkout's code and not the installed one."""
        return {"PYTHONPATH": os.pathsep.join(map(str, self.import_roots))}

    @property
    def shipped_bundles(self) -> Path:
        """The folder of the bundles that ship with the commit."""
        return self.folder / "models" / "zoo"


WORKING_TREE = Checkout("working tree", REPOSITORY)
