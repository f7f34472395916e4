"""A load scenario: which calls arrive, in which mix, and when. Read from TOML; paths are relative to the file."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field


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
        inputs: a text file with one input per line; for captions, a folder of pictures.
        to: target languages of translations, of which each call draws one; empty for models with one language.
        attention_share: share of the calls that request the alignment, 0 to 1.
        model: "" is the server's default.
        cancel_after_s: the caller cancels an unanswered call after this time; None never cancels.
        expected: gRPC status with which the calls must end, such as "INVALID_ARGUMENT" for invalid requests.
    """

    name: str = Field(min_length=1)
    weight: float = Field(default=1.0, gt=0)
    task: Literal["translate", "summarize", "caption"]
    inputs: Path
    inputs_per_call: int = Field(default=1, ge=1)
    to: tuple[str, ...] = ()
    model: str = ""
    stream: bool = False
    num_beams: int | None = Field(default=None, ge=1)
    attention_share: float = Field(default=0.0, ge=0, le=1)
    cancel_after_s: float | None = Field(default=None, gt=0)
    expected: str = Field(default="OK", pattern="^[A-Z_]+$")


class Scenario(_Strict):
    """A mix of calls and how they arrive.

    Attributes:
        duration_s: length of the measurement.
        warmup_s: load before the measurement.
        timeout_s: deadline of a call.
        connections: number of connections, used in turn.
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
