"""The token file: hashes of tokens, never the tokens themselves.

    [[tokens]]
    name = "web"                    # appears in the log
    sha256 = "9f86d081884c7d65..."  # of the token, as `regard token` prints it
    scopes = ["infer"]
    requests_per_s = 20             # optional; allows bursts of as many
    max_concurrent = 8              # optional
    weight = 2                      # optional: twice the turns of others

A token is 256 random bits. A plain hash therefore protects it as well as a slow one.
"""

import hashlib
import hmac
import re
import secrets
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from regard_service.configuration.fault_words import Fault, without_consequences, words
from regard_service.configuration.toml_files import read_toml

Scope = Literal["infer", "admin"]

TOKEN_BYTES = 32
KEYS = "; [[tokens]] has name, sha256, scopes, requests_per_s, max_concurrent and weight"
ENTRY = "; each token begins with the line [[tokens]]"


class TokensError(Exception):
    """The token file cannot be used. The message lists every fault, and contains no hash."""


class TokenEntry(BaseModel):
    """One caller.

    Attributes:
        scopes: "infer" runs models and lists them, "admin" loads and unloads them, and changes glossaries.
        requests_per_s: on average; None: no limit.
        max_concurrent: calls in flight; None: no limit.
        weight: of the caller's turns: with 2 it gets twice the time of another one where both wait.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    sha256: str
    scopes: Annotated[frozenset[Scope], Field(min_length=1)]
    requests_per_s: Annotated[float, Field(gt=0)] | None = None
    max_concurrent: Annotated[int, Field(gt=0)] | None = None
    weight: Annotated[float, Field(ge=0.01, le=100)] = 1.0

    @field_validator("requests_per_s", "max_concurrent", "weight", mode="before")
    @classmethod
    def _is_number(cls, value: object) -> object:
        if isinstance(value, bool):  # to Python a number
            raise ValueError("must not be true or false")
        return value

    @field_validator("name")
    @classmethod
    def _is_name(cls, value: str) -> str:
        if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", value) is None:
            raise ValueError("must be 1 to 64 letters, digits, '.', '_' or '-', a letter or digit first")
        return value

    @field_validator("sha256")
    @classmethod
    def _is_hash(cls, value: str) -> str:
        if re.fullmatch(r"[0-9a-f]{64}", value) is None:
            raise ValueError("must be 64 hexadecimal digits in lower case, as `regard token` prints them")
        return value


class TokenFile(BaseModel):
    """All callers of a server."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tokens: Annotated[tuple[TokenEntry, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _entries_differ(self) -> Self:
        for attribute in ("name", "sha256"):
            values = [getattr(token, attribute) for token in self.tokens]
            if len(set(values)) < len(values):
                raise ValueError(f"two tokens have the same {attribute}")
        return self

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads a file.

        Raises:
            TokensError: it cannot be read, or has faults.
        """
        try:
            return cls.model_validate(read_toml(path))
        except OSError as error:
            raise TokensError(f"{path}: {error.strerror}") from None
        except ValidationError as error:
            faults = "; ".join(map(_describe, without_consequences(error.errors())))
            raise TokensError(f"{path}: {faults}") from None
        except ValueError as error:
            raise TokensError(f"{path}: {error}") from None

    def find(self, token: str) -> TokenEntry | None:
        """Returns the entry of a token, or None. The time it takes does not depend on the hashes."""
        digest = hash_token(token)
        found = None
        for entry in self.tokens:
            if hmac.compare_digest(entry.sha256, digest):
                found = entry
        return found


def _describe(fault: Fault) -> str:
    """Omits the value: one that is no hash may be a token."""
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault["loc"]).removeprefix(".")
    meant = KEYS if fault["type"] == "extra_forbidden" else ENTRY if fault["loc"] == ("tokens",) else ""
    return (f"{place}: " if place else "") + words(fault) + meant


def new_token() -> str:
    """Returns a new random token."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def hash_token(token: str) -> str:
    """Returns the hash that the token file holds."""
    return hashlib.sha256(token.encode()).hexdigest()
