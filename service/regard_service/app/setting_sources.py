"""The sources of settings: a TOML file, the environment and flags."""

import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from regard_service.configuration.toml_files import read_toml
from regard_service.validation.suggestions import closest

PREFIX = "REGARD_"
CLIENT_VARIABLES = frozenset(
    {"REGARD_SERVER", "REGARD_TLS_CA", "REGARD_TOKEN"}
)  # read by the client, in the same environment

# Kubernetes sets these in every pod of a namespace that has a Service named "regard-...".
KUBERNETES_LINK = re.compile(r"REGARD_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)\w*)?)$")


@dataclass(frozen=True)
class SourcedValue:
    """A value and, for error messages, the place where it is set."""

    key: str
    value: object
    origin: str


def read_file(file: Path | None, problems: list[str]) -> list[SourcedValue]:
    """Reads a TOML file; adds to `problems` if it cannot be read."""
    if file is None:
        return []
    try:
        content = read_toml(file)
    except OSError as error:
        problems.append(f"{file}: {error.strerror}")
    except ValueError as error:  # not TOML, or a path that no system call takes
        problems.append(f"{file}: {error}")
    else:
        return [SourcedValue(key, value, f"{file}: {key}") for key, value in content.items()]
    return []


def read_environment(environment: Mapping[str, str] | None, keys: Collection[str]) -> list[SourcedValue]:
    """Reads the variables with the server's prefix. Args: environment: None takes the process'; keys: of settings."""
    variables = os.environ if environment is None else environment
    return [
        SourcedValue(_key(name), value, name)
        for name, value in sorted(variables.items())
        if name.startswith(PREFIX) and name not in CLIENT_VARIABLES and not _is_kubernetes_link(name, keys)
    ]


def read_flags(flags: Mapping[str, object] | None) -> list[SourcedValue]:
    """Reads flags by key; None stands for a flag that is not given."""
    return [SourcedValue(key, value, flag(key)) for key, value in (flags or {}).items() if value is not None]


def flag(key: str) -> str:
    """Returns the flag of a key."""
    return "--" + key.replace("_", "-")


def unknown_keys(values: list[SourcedValue], keys: Collection[str]) -> Iterator[str]:
    """Yields a problem for each value whose key is no setting."""
    for value in values:
        if value.key not in keys:
            yield f"{value.origin}: there is no such setting{_suggestion(value, keys)}"


def _key(variable: str) -> str:
    return variable.removeprefix(PREFIX).lower()


def _is_kubernetes_link(name: str, keys: Collection[str]) -> bool:
    return KUBERNETES_LINK.match(name) is not None and _key(name) not in keys


def _suggestion(value: SourcedValue, keys: Collection[str]) -> str:
    if value.key == "config":
        return "; --config FILE names the file"
    if isinstance(value.value, dict) and not closest(value.key, keys):
        return f"; settings stand in no table: write them without [{value.key}]"
    if value.key.replace("-", "_") in keys:
        return f"; is {value.key.replace('-', '_')!r} meant?"
    if value.key == "port":
        return "; is 'grpc_port' or 'http_port' meant?"
    close = closest(value.key, keys)
    return f"; is {close!r} meant?" if close else ""
