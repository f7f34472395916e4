"""A load scenario: which calls arrive, in which mix, and when. Read from TOML; paths are relative to the file."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from benchmarks.loadtest.http_apis import DEEPL_MODELS, NEEDS_MODEL, EmbeddingApi, HttpApi

ONE_STEP = ("encode", "classify", "fill_mask", "detect", "answer")
"""Tasks of models without a decoder."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Poisson(_Strict):
    """Open loop: calls arrive independently of each other and of the answers, at a mean rate."""

    process: Literal["poisson"]
    rate_per_s: float = Field(gt=0)


class Closed(_Strict):
    """Closed loop: each caller sends its next call `think_s` after its last answer.

    A slow server gets fewer calls, so latencies look better than those of independent arrivals.
    """

    process: Literal["closed"]
    clients: int = Field(ge=1)
    think_s: float = Field(default=0.0, ge=0)


class Part(_Strict):
    """One kind of call.

    Attributes:
        weight: relative frequency.
        api: that the call speaks; "openai" encodes, the other doors and the JSON API translate.
        inputs: a text file with one input per line, or a folder of pictures.
        question: about each picture; of answers only.
        source: language of translations; "" leaves it to the API.
        to: target languages of translations, of which each call draws one; empty for models with one language.
        attention_share: share of the calls that request the alignment, 0 to 1.
        model: "" is the server's default.
        cancel_after_s: the caller cancels an unanswered call after this time; None never cancels.
        expected: status with which the calls must end, such as "INVALID_ARGUMENT", or over HTTP "400", for invalid
            requests.
    """

    name: str = Field(min_length=1)
    weight: float = Field(default=1.0, gt=0)
    api: Literal["grpc", HttpApi, EmbeddingApi] = "grpc"
    task: Literal["translate", "summarize", "caption", "encode", "classify", "fill_mask", "detect", "answer"]
    inputs: Path
    question: str = ""
    inputs_per_call: int = Field(default=1, ge=1)
    source: str = ""
    to: tuple[str, ...] = ()
    model: str = ""
    stream: bool = False
    num_beams: int | None = Field(default=None, ge=1)
    attention_share: float = Field(default=0.0, ge=0, le=1)
    cancel_after_s: float | None = Field(default=None, gt=0)
    expected: str = Field(default="OK", pattern="^([A-Z_]+|[45][0-9]{2})$")

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        """Refuses keys that the calls of an API or a task do not have: they would have no effect."""
        if lacking := ", ".join(self._lacking()):
            raise ValueError(f"calls of {self.api}, task {self.task}, have no {lacking}")
        if self.task == "answer" and not self.question:
            raise ValueError("task answer needs the key question")
        if self.api in NEEDS_MODEL and not self.model:
            raise ValueError(f"{self.api} needs the key model")
        if self.api == "deepl" and self.num_beams not in (None, *DEEPL_MODELS):
            raise ValueError(f"deepl has num_beams {' and '.join(map(str, DEEPL_MODELS))} only")
        if self.api not in ("grpc", "openai") and not self.to:
            raise ValueError(f"{self.api} needs the key to")
        return self

    def _lacking(self) -> Iterator[str]:
        is_http = self.api != "grpc"
        if is_http and self.task != ("encode" if self.api == "openai" else "translate"):
            yield f"task {self.task}"
        if self.stream and (is_http or self.task in ONE_STEP):
            yield "stream"
        if self.attention_share and (is_http or self.task in ONE_STEP):
            yield "attention_share"
        if self.num_beams is not None and (self.api == "libretranslate" or self.task in ONE_STEP):
            yield "num_beams"
        if self.model and self.api in ("libretranslate", "deepl"):
            yield "model"
        if self.question and self.task != "answer":
            yield "question"
        if (self.source or self.to) and self.task != "translate":
            yield "source and to"


class Scenario(_Strict):
    """A mix of calls and how they arrive.

    Attributes:
        duration_s: length of the measurement.
        warmup_s: load before the measurement.
        timeout_s: deadline of a call.
        connections: number of connections of gRPC, used in turn. Over HTTP there are as many as calls in flight.
        retries: whether the client retries calls that no server accepted, and balances over the target's addresses.
        seed: seed of arrivals and mix; equal seeds send equal calls.
    """

    name: str = Field(min_length=1)
    duration_s: float = Field(gt=0, le=3600)
    warmup_s: float = Field(default=2.0, ge=0)
    timeout_s: float = Field(default=30.0, gt=0)
    connections: int = Field(default=4, ge=1, le=1024)
    retries: bool = False
    seed: int = 1
    arrivals: Annotated[Poisson | Closed, Field(discriminator="process")]
    parts: tuple[Part, ...] = Field(min_length=1)

    @classmethod
    def read(cls, file: Path) -> Self:
        """Reads a TOML file.

        Raises:
            ValidationError: from pydantic, with all errors of the file.
        """
        content = tomllib.loads(file.read_text(encoding="utf-8"))
        for part in content.get("parts", ()):
            if "inputs" in part:
                part["inputs"] = file.parent / part["inputs"]
        return cls.model_validate(content)
