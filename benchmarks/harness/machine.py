"""Describes the machine that a measurement ran on."""

import importlib.metadata
import os
import platform
import re
import time
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

from regard_service.app.cores import cpu_limit

PACKAGES = ("regard", "onnxruntime", "grpcio", "protobuf", "numpy", "tokenizers", "sacrebleu")

# Instruction sets that decide how fast integer matrices multiply.
CPU_FEATURES = frozenset({"avx2", "avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm"})

BUSY_LOAD_PER_CORE = 0.3
LOAD_SAMPLES = 50


class Machine(BaseModel):
    """Hardware and software, without a host name.

    Attributes:
        cores: number of cores that this process may use.
        load_before: mean number of other runnable threads in the second before the measurement.
    """

    model_config = ConfigDict(frozen=True)

    cpu: str
    cores: int
    cpu_features: tuple[str, ...]
    memory_gib: float
    system: str
    python: str
    packages: dict[str, str]
    load_before: float

    @property
    def is_busy(self) -> bool:
        """Whether other work ran, which makes absolute times unreliable."""
        return self.load_before > BUSY_LOAD_PER_CORE * self.cores

    @property
    def busy_note(self) -> str:
        """A warning for results of a busy machine."""
        return f"Other work ran on the machine before (load {self.load_before}): times are unreliable."

    @classmethod
    def here(cls) -> Self:
        """Describes this machine now."""
        cpuinfo = _read(Path("/proc/cpuinfo"))
        flags = set(_first(r"^(?:flags|Features)\s*:\s*(.+)$", cpuinfo).split())
        return cls(
            cpu=_first(r"^model name\s*:\s*(.+)$", cpuinfo) or platform.processor() or "unknown",
            cores=cpu_limit(),
            cpu_features=tuple(sorted(flags & CPU_FEATURES)),
            memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
            system=f"{platform.system()} {platform.machine()}",
            python=platform.python_version(),
            packages=_versions(PACKAGES),
            load_before=round(_load(), 2),
        )

    def describe(self) -> str:
        """One line for a reader."""
        packages = ", ".join(f"{name} {version}" for name, version in self.packages.items())
        features = f" ({', '.join(self.cpu_features)})" if self.cpu_features else ""
        return (
            f"{self.cpu}{features}, {self.cores} cores, {self.memory_gib:.0f} GiB, {self.system}, "
            f"Python {self.python}, {packages}"
        )


def _load() -> float:
    """Mean number of other runnable threads over one second.

    The system's own load average still counts work that ended minutes ago.
    """
    stat = Path("/proc/stat")
    if not stat.exists():
        return os.getloadavg()[0]
    counts = []
    for _ in range(LOAD_SAMPLES):
        time.sleep(1 / LOAD_SAMPLES)
        counts.append(int(_first(r"^procs_running (\d+)$", stat.read_text())) - 1)  # this one
    return sum(counts) / len(counts)


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for name in packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _first(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    return match[1].strip() if match else ""
