"""The types that every part of a manifest is made of."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from regard import names

Task = names.Task
Unit = names.Unit
Precision = Literal["float32", "float16", "int8", "int4"]
Provider = Literal["CPUExecutionProvider", "CUDAExecutionProvider"]
Dtype = Literal["float32", "float16", "int64", "int32", "uint8", "int8", "bool"]

# The API sends these numbers as int32.
TokenId = Annotated[int, Field(ge=0, lt=2**31)]
Size = Annotated[int, Field(gt=0, lt=2**31)]
Count = Annotated[int, Field(ge=0, lt=2**31)]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
Name = Annotated[str, Field(pattern=f"^{NAME.pattern}$")]

MAX_VERSION_CHARACTERS = 64


def is_version(text: str) -> bool:
    """Whether a text may be a version: it is printed in lists, labels and lines of the log."""
    return 0 < len(text) <= MAX_VERSION_CHARACTERS and text.isprintable()


def _version(text: str) -> str:
    if not is_version(text):
        raise ValueError(f"must be 1 to {MAX_VERSION_CHARACTERS} printable characters")
    return text


Version = Annotated[str, AfterValidator(_version)]

PROVIDER_NAMES: dict[Provider, str] = {"CPUExecutionProvider": "cpu", "CUDAExecutionProvider": "cuda"}
"""The short names of execution providers, in settings, metrics and the API."""


class Schema(BaseModel):
    """Frozen, and strict about unknown fields: a misspelled field of a manifest is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
