"""Every setting of a server: defaults < TOML file < environment (`REGARD_...`) < flags. Read once, passed on.

Every key is one flat name: `grpc_port` in the file, `REGARD_GRPC_PORT` in the environment, `--grpc-port` as a flag.
In the environment and in flags, a list is "a,b" and a table is "key=value,key=value".
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from regard_service.app.cores import cpu_limit
from regard_service.app.setting_checks import check_host_names, check_order, check_parts, check_ports, check_text
from regard_service.app.setting_faults import describe_faults
from regard_service.app.setting_sources import read_environment, read_file, read_flags, unknown_keys
from regard_service.auth.address import networks
from regard_service.bundle import PROVIDER_NAMES, Precision, Provider, Task, zoo_folder

MAX_GRPC_SECONDS = 2_147_483
"""Of a duration that gRPC takes as milliseconds in a C int: 24 days."""


class SettingsError(Exception):
    """The settings cannot be used.

    Attributes:
        problems: every problem; each names the key and the place where it is set.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Settings(BaseModel):
    """The settings of a server. The descriptions of the fields are the help texts of the flags."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    host: str = Field(default="127.0.0.1", min_length=1, description="address to listen on; 0.0.0.0 is every address")
    grpc_port: int = Field(default=50051, ge=0, le=65535, description="port of the gRPC API; 0 takes a free port")
    http_port: int = Field(
        default=8080,
        ge=0,
        le=65535,
        description="port of metrics, health, JSON API and playground; 0 takes a free port",
    )
    http_api: bool = Field(default=True, description="serve the JSON API and the playground on the HTTP port")
    health_port: int | None = Field(
        default=None, ge=0, le=65535, description="a second gRPC port for health checks only; unset: none"
    )
    max_connection_age_s: float | None = Field(
        default=1800.0,
        gt=0,
        le=MAX_GRPC_SECONDS,
        description="age at which gRPC clients have to reconnect, so that they find new replicas; calls are finished",
    )
    max_connection_idle_s: float = Field(
        default=300.0,
        gt=0,
        le=MAX_GRPC_SECONDS,
        description="time after which a gRPC connection without calls is closed",
    )
    keepalive_s: float = Field(
        default=60.0,
        ge=1,
        le=MAX_GRPC_SECONDS,
        description="interval of the pings that check a gRPC connection without traffic",
    )
    client_timeout_s: float = Field(
        default=30.0,
        gt=0,
        description="time for a client to open a gRPC connection, to send a request, and over HTTP to read on",
    )
    reflection: bool = Field(default=True, description="describe the API by gRPC reflection")
    open_inference: bool = Field(
        default=False, description="serve the Open Inference Protocol (KServe version 2, Triton) on the gRPC port"
    )
    libretranslate_door: bool = Field(
        default=False, description="serve LibreTranslate's API on the HTTP port, below /libretranslate"
    )
    hugging_face_door: bool = Field(
        default=False, description="serve Hugging Face's inference API on the HTTP port, below /hugging-face"
    )
    deepl_door: bool = Field(
        default=False, description="serve DeepL's API, versions 2 and 3, on the HTTP port, below /deepl"
    )
    open_inference_door: bool = Field(
        default=False, description="serve the Open Inference Protocol over HTTP, on the HTTP port, below /v2"
    )
    openai_door: bool = Field(default=False, description="serve OpenAI's embeddings on the HTTP port, below /openai")
    document_directory: Path | None = Field(
        default=None,
        description="folder where doors keep translated documents until they are fetched, for an hour; unset: a "
        "temporary one",
    )

    tokens_file: Path | None = Field(
        default=None, description="TOML file of token hashes, scopes and limits; unset: calls need no token"
    )
    trusted_proxies: tuple[str, ...] = Field(
        default=(),
        description="addresses or ranges (10.0.0.0/8) of proxies whose X-Forwarded-For names the caller; unset: none",
    )
    allowed_hosts: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="names that the HTTP port answers to, besides addresses; unset: localhost on loopback, else any",
    )
    tls_certificate: Path | None = Field(
        default=None, description="PEM chain for TLS on the gRPC and HTTP ports, reloaded when it changes"
    )
    tls_key: Path | None = Field(default=None, description="PEM key of the certificate")
    tls_client_ca: Path | None = Field(
        default=None,
        description="PEM authority that must have signed every client's certificate, gRPC and HTTP (mutual TLS)",
    )

    model_directories: tuple[Path, ...] = Field(
        default_factory=lambda: (zoo_folder(),), min_length=1, description="folders that contain bundles"
    )
    glossary_directory: Path | None = Field(
        default=None, description="folder that glossaries are kept in; unset: calls name their terms themselves"
    )
    model_poll_s: float | None = Field(
        default=None,
        gt=0,
        description="interval of looking through the model folders for new bundles, which then serve; unset: never",
    )
    models: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="names of the models to load; unset: all"
    )
    default_models: dict[Task, str] = Field(
        default_factory=dict, description="by task, the model of requests that name none: translation=NAME"
    )
    preferred_models: tuple[str, ...] = Field(
        default=("everyday",),
        description="models that answer requests that name none, best first, if several fit and none is the default; "
        "then the first by name",
    )
    provider: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="where graphs run; a named provider that is missing is an error"
    )
    precision: Literal["auto", "float32", "float16", "int8", "int4"] = Field(
        default="auto", description="which of a bundle's graphs run"
    )

    max_models: int | None = Field(default=None, ge=1, description="most models in memory; unset: no limit")
    max_models_bytes: int | None = Field(
        default=None, ge=1, description="total size of the files of the models in memory; unset: no limit"
    )

    processes: int = Field(
        default=1,
        ge=1,
        le=256,
        description="processes that share the ports, the weights and the limits, each with its part of the workers; "
        "Linux only",
    )
    num_workers: int = Field(
        default_factory=cpu_limit, ge=1, le=1024, description="threads that run graphs; unset: one per core"
    )
    max_slots: int = Field(default=32, ge=1, le=4096, description="slots of a running batch")
    max_queue: int = Field(
        default=512, ge=0, description="requests that may wait; more are refused, and from 7/8 on those of one caller"
    )
    max_queue_tokens: int = Field(
        default=262_144, ge=0, description="tokens that may wait, of sources and for every beam of targets"
    )
    max_queue_s: float = Field(
        default=30.0, gt=0, description="longest expected wait of a request; bulk requests may wait longer"
    )

    max_inputs_per_call: int = Field(default=128, ge=1, description="most texts or pictures of a call")
    max_text_characters: int = Field(default=20_000, ge=1, description="most characters of a text, truncated or not")
    check_language: bool = Field(
        default=True, description="warn about texts in another language than the model reads; takes 70 MB"
    )
    max_document_bytes: int = Field(default=16 * 2**20, ge=1, description="largest file to translate")
    max_image_bytes: int = Field(default=10 * 2**20, ge=1, description="largest file of a picture")
    max_image_pixels: int = Field(
        default=40_000_000, ge=1, le=89_000_000, description="largest picture, width times height"
    )  # above, Pillow's own guard takes effect
    max_image_side: int = Field(default=16_384, ge=1, description="largest width, and largest height, of a picture")
    max_message_bytes: int = Field(
        default=32 * 2**20,
        ge=1024,
        lt=2**31,
        description="largest request, and largest answer, of gRPC and HTTP",
    )
    max_answer_memory_bytes: int = Field(
        default=256 * 2**20,
        ge=1024,
        description="most memory for the attention of all answers in the making, foretold from inputs and options",
    )
    max_buffered_bytes: int = Field(
        default=256 * 2**20,
        ge=1024,
        description="memory that calls may add to that of the start before slow messages and unread answers give way",
    )
    default_deadline_s: float | None = Field(
        default=None, gt=0, description="time for a call that sets no deadline; unset: max_deadline_s"
    )
    max_deadline_s: float = Field(
        default=600.0, gt=0, le=MAX_GRPC_SECONDS, description="most time for a call, even if its deadline is later"
    )
    drain_delay_s: float = Field(
        default=0.1, ge=0, description="time after SIGTERM in which new calls are still served"
    )
    drain_timeout_s: float = Field(default=30.0, ge=0, description="time after SIGTERM to finish calls, delay included")

    watchdog_timeout_s: float = Field(
        default=60.0, gt=0, description="duration of a step after which the engine counts as stuck and liveness ends"
    )

    trace_endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://[^/]",
        description="OTLP collector (gRPC) that receives traces, http://HOST:4317; unset: as OTEL_... variables say",
    )
    trace_sample_ratio: float | None = Field(
        default=None, ge=0, le=1, description="share of the calls to trace, unless the caller decides; unset: all"
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="lowest level to log")
    log_format: Literal["text", "json"] = Field(default="text", description="format of the log's lines")

    @field_validator(
        "model_directories", "models", "preferred_models", "trusted_proxies", "allowed_hosts", mode="before"
    )
    @classmethod
    def _split_list(cls, value: object) -> object:
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()]
        if isinstance(value, list | tuple):
            check_parts(value)
        return value

    @field_validator("*", mode="before")
    @classmethod
    def _read_plain(cls, value: object, info: ValidationInfo) -> object:
        """Takes choices in capitals. true and false are no numbers, though Python counts them so."""
        annotation = cls.model_fields[info.field_name or ""].annotation
        if isinstance(value, str) and value.lower() in get_args(annotation):
            return value.lower()
        if isinstance(value, bool) and annotation is not bool:
            raise ValueError("must not be true or false")
        if isinstance(value, str) and annotation in (str, Path, Path | None):
            check_text(value)
        return value

    @field_validator(
        "model_directories", "document_directory", "tokens_file", "tls_certificate", "tls_key", "tls_client_ca"
    )
    @classmethod
    def _in_home(cls, value: Path | tuple[Path, ...] | None) -> object:
        """Resolves "~", which only a shell does otherwise."""
        if isinstance(value, tuple):
            return tuple(each.expanduser() for each in value)
        return None if value is None else value.expanduser()

    @field_validator("default_models", mode="before")
    @classmethod
    def _split_table(cls, value: object) -> object:
        if isinstance(value, dict):
            check_parts(value.values())
        if not isinstance(value, str):
            return value
        pairs = [part.partition("=") for part in value.split(",") if part.strip()]
        if not all(name.strip() for _, _, name in pairs):
            raise ValueError("must be TASK=NAME, such as translation=everyday")
        return {key.strip(): name.strip() for key, _, name in pairs}

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        networks(value)
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _are_names(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        check_host_names(value or ())
        return value

    @model_validator(mode="after")
    def _fit_each_other(self) -> Self:
        check_ports({"grpc_port": self.grpc_port, "http_port": self.http_port, "health_port": self.health_port})
        check_order("drain_delay_s", self.drain_delay_s, "drain_timeout_s", self.drain_timeout_s)
        check_order("default_deadline_s", self.default_deadline_s, "max_deadline_s", self.max_deadline_s)
        return self

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key need each other")
        if self.tls_client_ca is not None and self.tls_certificate is None:
            raise ValueError("tls_client_ca needs tls_certificate and tls_key")
        return self

    @model_validator(mode="after")
    def _processes_share(self) -> Self:
        if self.processes > 1 and self.provider == "cuda":
            raise ValueError("processes: more than 1 shares the weights in memory, which those on a GPU are not")
        return self

    @property
    def execution_provider(self) -> Provider | None:
        """ONNX Runtime's name of the provider; None stands for the best available."""
        return next((provider for provider, name in PROVIDER_NAMES.items() if name == self.provider), None)

    @property
    def graph_precision(self) -> Precision | None:
        """The precision; None stands for the bundle's first that fits."""
        return None if self.precision == "auto" else self.precision

    @classmethod
    def load(
        cls,
        file: Path | None = None,
        environment: Mapping[str, str] | None = None,
        flags: Mapping[str, object] | None = None,
    ) -> Self:
        """Merges the sources and checks the result.

        Args:
            file: TOML; None reads none.
            environment: None takes the process'.
            flags: by key; None stands for a flag that is not given.

        Raises:
            SettingsError: lists every problem of every source.
        """
        problems: list[str] = []
        keys = cls.model_fields.keys()
        sourced = [*read_file(file, problems), *read_environment(environment, keys), *read_flags(flags)]
        problems += unknown_keys(sourced, keys)
        known = {value.key: value for value in sourced if value.key in keys}
        try:
            settings = cls.model_validate({key: value.value for key, value in known.items()})
        except ValidationError as error:
            problems += describe_faults(error.errors(), known, cls.model_fields)
        if problems:
            raise SettingsError(problems)
        return settings
