"""A scenario: what is asked, in which mix, and when. Read from TOML; paths are relative to the file."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Poisson(_Strict):
    """Open loop: calls arrive independently of each other and of the answers, at that rate on average."""

    process: Literal["poisson"]
    rate_per_s: float = Field(gt=0)


class Closed(_Strict):
    """Closed loop: so many callers, each with its next call a while after its last one's answer.

    A slow server gets fewer calls then, so that latencies look better than arrivals of their own would find them.
    """

    process: Literal["closed"]
    clients: int = Field(ge=1)
    think_s: float = Field(default=0.0, ge=0)


class Part(_Strict):
    """One kind of call.

    Attributes:
        weight: how often it occurs, beside the weights of the others.
        inputs: a text file with an input a line, or for captions a folder of pictures.
        to: target languages of translations, one drawn for each call; none is the model's only one.
        attention_share: share of the calls that ask for the alignment.
        model: "" is the server's default.
        cancel_after_s: the caller gives up then, unless it has its answer; None waits for it.
        expected: gRPC status with which the calls must end, such as "INVALID_ARGUMENT" for what cannot be asked.
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
    """All of it.

    Attributes:
        warmup_s: time before the one that counts.
        timeout_s: a call's deadline.
        connections: calls take them in turn.
        retries: whether the client repeats what no server took up, and balances over all addresses of the target.
        seed: of arrivals and mix; the same seed asks the same.
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
        """Reads a file.

        Raises:
            ValidationError: pydantic's, with all that is wrong.
        """
        content = tomllib.loads(file.read_text(encoding="utf-8"))
        for part in content.get("parts", ()):
            if "inputs" in part:
                part["inputs"] = file.parent / part["inputs"]
        return cls.model_validate(content)
