"""The libraries that a verification ran with."""

from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

LIBRARIES = ("onnx", "onnxruntime", "torch", "transformers", "tokenizers", "sacrebleu")


def library_versions() -> Iterator[tuple[str, str]]:
    """The installed ones; models that PyTorch did not write need no torch."""
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            yield name, version(name)
