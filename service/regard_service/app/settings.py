"""What a server can be told: defaults < TOML file < environment (`REGARD_...`) < flags. Read once, handed down.

Every key is one flat name: `grpc_port` in the file, `REGARD_GRPC_PORT` in the environment, `--grpc-port` as a flag.
In the environment and in flags a list is "a,b" and a table "key=value,key=value".
"""

import argparse
import math
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from regard_service.bundle import Precision, Provider, Task, zoo_folder

PREFIX = "REGARD_"
CLIENT_VARIABLES = frozenset({"REGARD_SERVER"})  # the client's own, in the same environment

# For a Service named "regard-..." Kubernetes sets such variables in every pod of the namespace.
KUBERNETES_LINK = re.compile(r"REGARD_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)\w*)?)$")

_PROVIDERS: dict[str, Provider] = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class SettingsError(Exception):
    """Settings that cannot be used.

    Attributes:
        problems: every problem found, each naming the key and where it was set.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def cpu_limit() -> int:
    """How many cores this process may use: the cgroup's limit, or those it may run on; at least 1."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.floor(min(affinity, _cgroup_cores(Path("/sys/fs/cgroup")))))


def _cgroup_cores(root: Path) -> float:
    """The CPU quota in cores, of cgroup version 2 or 1; infinite where there is none."""
    try:
        quota, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (root / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (root / "cpu/cpu.cfs_period_us").read_text().strip()
        except OSError:
            return math.inf
    return math.inf if quota in ("max", "-1") else int(quota) / int(period)


class Settings(BaseModel):
    """Everything a server is told from outside. Field descriptions are the help texts of the flags."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    host: str = Field(default="127.0.0.1", min_length=1, description="address to listen on; 0.0.0.0 is every one")
    grpc_port: int = Field(default=50051, ge=0, le=65535, description="port of the gRPC API; 0 takes a free one")
    http_port: int = Field(
        default=8080, ge=0, le=65535, description="port of metrics, health, JSON API and playground; 0 takes a free one"
    )
    http_api: bool = Field(default=True, description="whether the HTTP port has the JSON API and the playground too")
    health_port: int | None = Field(
        default=None, ge=0, le=65535, description="another gRPC port that offers health only, for probes"
    )
    max_connection_age_s: float | None = Field(
        default=1800.0,
        gt=0,
        description="gRPC clients reconnect after this time, so that they find new replicas; calls are not disturbed",
    )
    max_connection_idle_s: float = Field(
        default=300.0, gt=0, description="a gRPC connection without calls is closed after this time"
    )
    keepalive_s: float = Field(
        default=60.0, ge=1, description="a gRPC connection without traffic is asked this often whether it still lives"
    )
    client_timeout_s: float = Field(
        default=30.0, gt=0, description="time to open a gRPC connection, to send a request, and over HTTP to read on"
    )
    reflection: bool = Field(default=True, description="whether gRPC reflection describes the API")
    open_inference: bool = Field(
        default=False, description="whether the Open Inference Protocol (KServe version 2, Triton) is spoken too"
    )

    tokens_file: Path | None = Field(
        default=None, description="TOML file of the callers' token hashes, scopes and limits; unset: everybody may call"
    )
    tls_certificate: Path | None = Field(
        default=None, description="PEM chain for TLS on the gRPC and HTTP ports, read again when it changes"
    )
    tls_key: Path | None = Field(default=None, description="PEM key of the certificate")
    tls_client_ca: Path | None = Field(
        default=None,
        description="PEM authority whose signature every client's certificate needs, gRPC and HTTP (mutual TLS)",
    )

    model_directories: tuple[Path, ...] = Field(
        default_factory=lambda: (zoo_folder(),), min_length=1, description="folders whose folders are bundles"
    )
    models: tuple[str, ...] | None = Field(default=None, min_length=1, description="names to load; unset: all")
    default_models: dict[Task, str] = Field(
        default_factory=dict, description="by task, the model of requests that name none: translation=NAME"
    )
    provider: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="where graphs run; one that is named and missing is an error"
    )
    precision: Literal["auto", "float32", "float16", "int8", "int4"] = Field(
        default="auto", description="which of a bundle's graphs run"
    )

    max_models: int | None = Field(
        default=None, ge=1, description="models in memory; more are not loaded; unset: no limit"
    )
    max_models_bytes: int | None = Field(
        default=None, ge=1, description="size of the files of all models in memory; unset: no limit"
    )

    num_workers: int = Field(
        default_factory=cpu_limit, ge=1, le=1024, description="threads that run graphs; unset: one a core"
    )
    max_slots: int = Field(default=32, ge=1, le=4096, description="slots of a running batch")
    max_queue: int = Field(
        default=512, ge=0, description="requests that may wait; more are refused, and one caller's when 7/8 are there"
    )
    max_queue_tokens: int = Field(
        default=262_144, ge=0, description="tokens, of sources and for every beam of targets, that may be about to wait"
    )
    max_queue_s: float = Field(
        default=30.0, gt=0, description="time that a request may be expected to wait; bulk requests wait longer"
    )

    max_inputs_per_call: int = Field(default=128, ge=1, description="texts or pictures in a call")
    max_text_characters: int = Field(default=20_000, ge=1, description="characters of a text, truncated or not")
    max_image_bytes: int = Field(default=10 * 2**20, ge=1, description="size of a picture's file")
    max_image_pixels: int = Field(
        default=40_000_000, ge=1, le=89_000_000, description="width times height of a picture"
    )  # Pillow's own guard begins there
    max_image_side: int = Field(default=16_384, ge=1, description="width of a picture, and its height")
    max_message_bytes: int = Field(default=32 * 2**20, ge=1024, lt=2**31, description="size of a gRPC message")
    default_deadline_s: float | None = Field(
        default=None, gt=0, description="time for a call that sets no deadline; unset: max_deadline_s"
    )
    max_deadline_s: float = Field(
        default=600.0, gt=0, description="most time that a call gets, whatever deadline it sets"
    )
    drain_delay_s: float = Field(
        default=0.1, ge=0, description="time after SIGTERM in which new calls are still served"
    )
    drain_timeout_s: float = Field(default=30.0, ge=0, description="time after SIGTERM to finish calls, delay included")

    watchdog_timeout_s: float = Field(
        default=60.0, gt=0, description="a step that takes longer means that the engine is stuck: liveness turns off"
    )

    trace_endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://",
        description="OTLP collector (gRPC) that traces go to, http://HOST:4317; unset: as OTEL_... variables say",
    )
    trace_sample_ratio: float | None = Field(
        default=None, ge=0, le=1, description="share of the calls to trace, if the caller does not decide; unset: all"
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="least level to log")
    log_format: Literal["text", "json"] = Field(default="text", description="form of a line of the log")

    @field_validator("model_directories", "models", mode="before")
    @classmethod
    def _split_list(cls, value: object) -> object:
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else value

    @field_validator("default_models", mode="before")
    @classmethod
    def _split_table(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = [part.partition("=") for part in value.split(",") if part.strip()]
        return {key.strip(): name.strip() for key, _, name in pairs}

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        fixed = [port for port in (self.grpc_port, self.http_port, self.health_port) if port]
        if len(set(fixed)) < len(fixed):
            raise ValueError("grpc_port, http_port and health_port must differ")
        return self

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key need each other")
        if self.tls_client_ca is not None and self.tls_certificate is None:
            raise ValueError("tls_client_ca needs tls_certificate and tls_key")
        return self

    @property
    def execution_provider(self) -> Provider | None:
        """ONNX Runtime's name of the wanted provider; None takes the best there is."""
        return _PROVIDERS.get(self.provider)

    @property
    def wanted_precision(self) -> Precision | None:
        """The wanted precision; None takes the bundle's first that fits."""
        return None if self.precision == "auto" else self.precision

    @classmethod
    def load(
        cls,
        file: Path | None = None,
        environment: Mapping[str, str] | None = None,
        flags: Mapping[str, object] | None = None,
    ) -> Self:
        """Puts the layers on top of each other and checks the result.

        Args:
            file: TOML; None reads none.
            environment: None takes the process's.
            flags: by field name; those that are None were not given.

        Raises:
            SettingsError: with every problem of every layer.
        """
        problems: list[str] = []
        layers = [
            _file_layer(file, problems),
            _environment_layer(os.environ if environment is None else environment),
            [_Value(key, value, _flag(key)) for key, value in (flags or {}).items() if value is not None],
        ]
        values = {value.key: value for layer in layers for value in layer}
        for unknown in [value for layer in layers for value in layer if value.key not in cls.model_fields]:
            problems.append(f"{unknown.origin}: there is no such setting{_suggestion(unknown.key)}")
        known = {key: value for key, value in values.items() if key in cls.model_fields}
        try:
            settings = cls.model_validate({key: value.value for key, value in known.items()})
        except ValidationError as error:
            problems += [_problem(e["loc"], e["msg"], known) for e in error.errors()]
        if problems:
            raise SettingsError(problems)
        return settings


@dataclass(frozen=True)
class _Value:
    """A value and, for messages, where it was set."""

    key: str
    value: object
    origin: str


def _file_layer(file: Path | None, problems: list[str]) -> list[_Value]:
    if file is None:
        return []
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(f"{file}: {error.strerror}")
    except ValueError as error:  # not TOML, or not UTF-8
        problems.append(f"{file}: {error}")
    else:
        return [_Value(key, value, f"{file}: {key}") for key, value in content.items()]
    return []


def _environment_layer(environment: Mapping[str, str]) -> list[_Value]:
    return [
        _Value(name.removeprefix(PREFIX).lower(), value, name)
        for name, value in sorted(environment.items())
        if name.startswith(PREFIX) and name not in CLIENT_VARIABLES and not _is_kubernetes_link(name)
    ]


def _is_kubernetes_link(name: str) -> bool:
    is_setting = name.removeprefix(PREFIX).lower() in Settings.model_fields
    return KUBERNETES_LINK.match(name) is not None and not is_setting


def _problem(location: tuple[int | str, ...], message: str, values: Mapping[str, _Value]) -> str:
    """One line of pydantic's findings, with the place where the value was set in front."""
    text = message.removeprefix("Value error, ")
    if not location:
        return text
    key, *rest = location
    value = values[str(key)]
    inner = "".join(f"[{part}]" for part in rest if part != "[key]")
    return f"{value.origin}{inner}: {text} (it is {value.value!r})"


def _suggestion(key: str) -> str:
    import difflib  # on the way to an error only

    close = difflib.get_close_matches(key, Settings.model_fields, n=1)
    return f"; is {close[0]!r} meant?" if close else ""


def _flag(key: str) -> str:
    return "--" + key.replace("_", "-")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds a flag for every setting; what argparse collects goes to `Settings.load(flags=vars(...))`.

    argparse checks no values: `Settings.load` does, and lists all that is wrong at once.
    """
    group = parser.add_argument_group("settings", "each can stand in the file and in the environment too")
    for key, spec in Settings.model_fields.items():
        help_text = (spec.description or "").replace("%", "%%") + _default_text(spec.default)
        if spec.annotation is bool:
            group.add_argument(_flag(key), action=argparse.BooleanOptionalAction, default=None, help=help_text)
        else:
            choices = get_args(spec.annotation) if isinstance(spec.default, str) else ()
            metavar = "|".join(choices) or key.split("_")[-1].upper()
            group.add_argument(_flag(key), metavar=metavar, default=None, help=help_text)


def _default_text(default: Any) -> str:
    return f" (default: {default})" if isinstance(default, int | float | str) else ""
