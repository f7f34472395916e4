"""The log: lines with fields, as text or JSON, on standard error. Never a user's text."""

import json
import logging
import sys
import time
from collections.abc import Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Literal, TextIO

LogFields = dict[str, object]

_call_fields: ContextVar[LogFields | None] = ContextVar("call_fields", default=None)


def begin_call(fields: LogFields) -> None:
    """Makes `fields` those of the current task's call: whatever it logs carries its request id."""
    _call_fields.set(fields)


def note(**fields: object) -> None:
    """Adds fields to the one line that the current call will log."""
    call = _call_fields.get()
    if call is not None:
        call.update(fields)


def fields(**values: object) -> dict[str, LogFields]:
    """`extra` of a log call: `log.info("serving", extra=fields(grpc_port=50051))`."""
    return {"fields": values}


def _record_fields(record: logging.LogRecord) -> LogFields:
    call = _call_fields.get() or {}
    own: Mapping[str, object] = getattr(record, "fields", {})
    request_id = {"request_id": call["request_id"]} if "request_id" in call else {}
    return {**request_id, **own}


def _timestamp(record: logging.LogRecord) -> str:
    return f"{_date_and_time(int(record.created))}.{int(record.msecs):03d}Z"


@lru_cache(maxsize=1)
def _date_and_time(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line: LogFields = {
            "time": _timestamp(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_record_fields(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class TextFormatter(logging.Formatter):
    """Time, level, message, then `name=value` pairs."""

    def format(self, record: logging.LogRecord) -> str:
        pairs = "".join(f" {name}={_plain(value)}" for name, value in _record_fields(record).items())
        line = f"{_timestamp(record)} {record.levelname:<7} {record.getMessage()}{pairs}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _plain(value: object) -> str:
    """A value that stays on its line and can be told from its neighbours."""
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if text.isprintable() and text and not set(text) & set(' "=') else json.dumps(text)


def configure(level: str, form: Literal["text", "json"], stream: TextIO | None = None) -> None:
    """Sends every logger of the process, libraries included, to `stream` (standard error)."""
    # What no line of ours shows need not be found out for each.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for chatty in ("uvicorn", "asyncio"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))
