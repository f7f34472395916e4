"""The compared models: one checkpoint each, which every engine converts with its own converter."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.checkouts import REPOSITORY, WORKING_TREE, Checkout
from benchmarks.peers.environments import python_of
from benchmarks.peers.worker import worker_process

SHIPPED = WORKING_TREE.shipped_bundles
QUANTIZATIONS = ("int8", "float32")


class ConversionFailed(Exception):
    """An engine's converter failed; the message ends with the tail of its output."""


@dataclass(frozen=True)
class Model:
    """A compared model.

    Attributes:
        name: name of its folder.
        recipe: the call that makes its checkpoint.
        shipped: name of the shipped bundle; None for models with random weights.
        in_ctranslate2, in_optimum: whether the engine supports its architecture.
        maker: the module of inside/ that has the call, and the environment that runs it.
    """

    name: str
    recipe: str
    shipped: str | None = None
    in_ctranslate2: bool = True
    in_optimum: bool = True
    maker: tuple[str, str] = ("checkpoints", "transformers")


MARIAN = Model("marian-base", "marian")
BART = Model("bart-base", "bart")
CAPTIONER = Model("vit-gpt2", "captioner", in_ctranslate2=False)
EVERYDAY = Model("everyday", "shipped", shipped="everyday")
STUDENT = Model("en-pt", "student", in_ctranslate2=False, in_optimum=False, maker=("student_checkpoint", "students"))
BERT = Model("bert-base", "bert", in_ctranslate2=False, in_optimum=False, maker=("bert_checkpoint", "encoders"))
MODELS = (MARIAN, BART, CAPTIONER, EVERYDAY, STUDENT, BERT)


@dataclass(frozen=True)
class ModelFiles:
    """Paths of a model's checkpoint, bundle and conversions below one folder, which `prepare` fills."""

    folder: Path
    model: Model

    @property
    def checkpoint(self) -> Path:
        """The checkpoint of `transformers`, from which all others are converted."""
        return self.folder / self.model.name / "checkpoint"

    @property
    def bundles(self) -> Path:
        """The folder of bundles to serve."""
        return SHIPPED if self.model.shipped else self.folder / self.model.name / "bundles"

    @property
    def bundle(self) -> Path:
        """Regard's bundle."""
        return self.bundles / (self.model.shipped or self.model.name)

    def converted(self, quantization: str) -> Path:
        """CTranslate2's conversion."""
        return self.folder / self.model.name / f"ctranslate2-{quantization}"

    @property
    def quantized(self) -> Path:
        """An encoder's graph that ONNX Runtime's own tools made int8."""
        return self.folder / self.model.name / "onnxruntime"

    @property
    def exported_by_optimum(self) -> Path:
        """optimum's conversion."""
        return self.folder / self.model.name / "optimum"


def prepare(files: ModelFiles, environments: Path, stage: Callable[[str], None], *, stale: bool = False) -> None:
    """Makes missing files of a model; exports its bundle again if the export code has changed.

    Args:
        environments: folder of the peers' environments.
        stage: reports progress.
        stale: use an existing bundle even if the export code has changed.

    Raises:
        WorkerFailed, ConversionFailed: a conversion failed.
    """
    model = files.model
    if not files.checkpoint.exists():
        stage(f"{model.name}: making the checkpoint")
        make_checkpoint(files, python_of(environments, model.maker[1]))
    for quantization in QUANTIZATIONS if model.in_ctranslate2 else ():
        if not files.converted(quantization).exists():
            stage(f"{model.name}: converting for CTranslate2, {quantization}")
            with _made(files.converted(quantization)) as target:
                python = python_of(environments, "ctranslate2")
                _call("ctranslate2_convert", python, source=files.checkpoint, folder=target, quantization=quantization)
    if model.in_optimum and not files.exported_by_optimum.exists():
        stage(f"{model.name}: converting for optimum")
        with _made(files.exported_by_optimum) as target:
            _call("optimum_convert", python_of(environments, "optimum"), source=files.checkpoint, folder=target)
    if model is BERT and not files.quantized.exists():
        stage(f"{model.name}: converting for ONNX Runtime")
        with _made(files.quantized) as target:
            _call(model.maker[0], python_of(environments, model.maker[1]), source=files.checkpoint, folder=target)
    if not model.shipped and not (stale and files.bundle.exists()):
        _export(files, stage)


def make_checkpoint(files: ModelFiles, python: Path) -> None:
    """Makes a model's checkpoint with an interpreter that has what its maker imports."""
    shipped = files.model.shipped
    source = {"source": str(SHIPPED / "checkpoints" / shipped)} if shipped else {}
    with _made(files.checkpoint) as target, worker_process(python, files.model.maker[0]) as maker:
        maker.call(files.model.recipe, folder=str(target), **source)


def _call(converter: str, python: Path, **arguments: Path | str) -> None:
    with worker_process(python, converter) as worker:
        worker.call("convert", **{name: str(value) for name, value in arguments.items()})


def _export(files: ModelFiles, stage: Callable[[str], None]) -> None:
    export_bundle(files, stage, key=_exporter(), precisions=QUANTIZATIONS, checkout=WORKING_TREE)


def export_bundle(
    files: ModelFiles, stage: Callable[[str], None], *, key: str, precisions: Sequence[str], checkout: Checkout
) -> None:
    """Exports by the command line; allows mismatches, since random weights may fail the int8 bounds.

    Args:
        key: identifies the export code; an existing bundle with the same key is kept.
        checkout: the commit whose code exports.

    Raises:
        ConversionFailed: the export failed.
    """
    mark = files.bundles.parent / "exported-by"
    if files.bundle.exists() and mark.exists() and mark.read_text() == key:
        return
    stage(f"{files.model.name}: exporting for Regard")
    shutil.rmtree(files.bundle, ignore_errors=True)
    files.bundles.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "regard", "export", str(files.checkpoint), "--output", str(files.bundle)]
    command += ["--precision", ",".join(precisions), "--allow-mismatch"]
    environment = {**os.environ, **checkout.environment}
    ran = subprocess.run(command, cwd=checkout.folder, env=environment, capture_output=True, text=True)
    if ran.returncode:
        raise ConversionFailed(f"{files.model.name}: {ran.stderr[-2000:]}")
    mark.write_text(key)


def _exporter() -> str:
    """A checksum of the export code."""
    files = sorted((REPOSITORY / "export").rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


@contextmanager
def _made(target: Path) -> Iterator[Path]:
    """A draft folder, which is renamed to `target` when it is complete."""
    draft = target.with_name(target.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    yield draft
    draft.rename(target)
