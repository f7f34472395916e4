"""The types that every part of a manifest is made of."""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from regard import names

Task = names.Task
Unit = names.Unit
Precision = Literal["float32", "float16", "int8", "int4"]
Provider = Literal["CPUExecutionProvider", "CUDAExecutionProvider"]
Dtype = Literal["float32", "float16", "int64", "int32", "uint8", "bool"]

# The API sends these numbers as int32.
TokenId = Annotated[int, Field(ge=0, lt=2**31)]
Size = Annotated[int, Field(gt=0, lt=2**31)]
Count = Annotated[int, Field(ge=0, lt=2**31)]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
Name = Annotated[str, Field(pattern=f"^{NAME.pattern}$")]

PROVIDER_NAMES: dict[Provider, str] = {"CPUExecutionProvider": "cpu", "CUDAExecutionProvider": "cuda"}
"""The short names of execution providers, in settings, metrics and the API."""


class Schema(BaseModel):
    """Frozen, and strict about unknown fields: a misspelled field of a manifest is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
