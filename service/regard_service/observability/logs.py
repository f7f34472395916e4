"""The log: lines with fields, as text or JSON, on standard error. It never contains a user's text."""

import asyncio
import json
import logging
import re
import sys
import time
from collections.abc import Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Literal, TextIO, cast

from regard_service.observability.log_writer import LogWriter, writer_of

# Lines of an event loop are written together after this time.
WRITE_AFTER_S = 0.02

LogFields = dict[str, object]

_UNQUOTED = re.compile(r'[^ "=]+')

# One encoder for all lines; `json.dumps` with options builds one for each.
_encode = json.JSONEncoder(ensure_ascii=False, default=str).encode

_call_fields: ContextVar[LogFields | None] = ContextVar("call_fields", default=None)


def begin_call(fields: LogFields) -> None:
    """Sets the log fields of the current task's call. Every line that the task logs carries their request id."""
    _call_fields.set(fields)


def note(**fields: object) -> None:
    """Adds fields to the line that the current call logs when it ends."""
    call = _call_fields.get()
    if call is not None:
        call.update(fields)


def noted() -> Mapping[str, object]:
    """Returns the fields of the current call so far."""
    return _call_fields.get() or {}


def fields(**values: object) -> dict[str, LogFields]:
    """Returns the `extra` of a log call: `log.info("serving", extra=fields(grpc_port=50051))`."""
    return {"fields": values}


def _record_fields(record: logging.LogRecord) -> LogFields:
    call = _call_fields.get() or {}
    own: Mapping[str, object] = getattr(record, "fields", {})
    request_id = {"request_id": call["request_id"]} if "request_id" in call else {}
    return {**_always, **request_id, **own}


def _timestamp(record: logging.LogRecord) -> str:
    return f"{_date_and_time(int(record.created))}.{int(record.msecs):03d}Z"


@lru_cache(maxsize=1)
def _date_and_time(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


class JsonFormatter(logging.Formatter):
    """Formats each line as a JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line as JSON."""
        line: LogFields = {
            "time": _timestamp(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_record_fields(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return _encode(line)


class TextFormatter(logging.Formatter):
    """Formats each line as time, level, message, then `name=value` pairs."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line as text, with the traceback below it."""
        pairs = "".join(f" {name}={_plain(value)}" for name, value in _record_fields(record).items())
        line = f"{_timestamp(record)} {record.levelname:<7} {record.getMessage()}{pairs}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _plain(value: object) -> str:
    """Formats a value without line breaks, quoted where its end would be unclear."""
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if text.isprintable() and _UNQUOTED.fullmatch(text) else json.dumps(text)


class HeaderFilter(logging.Filter):
    """Leaves the bytes of headers out of gRPC's own lines: of a header that is not UTF-8, it logs them all."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redacts a line; keeps every line."""
        if record.name.startswith("grpc") and str(record.msg).startswith("Invalid encoding"):
            record.msg, record.args, record.exc_info = "a header is not UTF-8", (), None
        return True


class BatchingHandler(logging.StreamHandler[TextIO]):
    """Writes the lines of an event loop in batches; writes warnings, and lines of other threads, at once.

    A write releases the interpreter's lock, which a busy engine takes at once. With a write for each line, the event
    loop waited for the lock longer than logging took.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lines: list[str] = []
        self._flushed_by: asyncio.AbstractEventLoop | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Writes the line at once, or with the others of its event loop."""
        try:
            self._lines.append(self.format(record) + self.terminator)
            loop = _running_loop()
            if loop is None or record.levelno >= logging.WARNING:
                self.flush()
            elif loop is not self._flushed_by:
                self._flushed_by = loop
                loop.call_later(WRITE_AFTER_S, self.flush)
        except Exception:
            self.handleError(record)

    def flush(self) -> None:
        """Writes the lines that wait."""
        self.acquire()
        try:
            lines, self._lines, self._flushed_by = self._lines, [], None
            self.stream.write("".join(lines))
            super().flush()
        finally:
            self.release()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


_writer: LogWriter | None = None  # of the process' log
_always: LogFields = {}  # in every line


def flush(timeout_s: float) -> None:
    """Waits until the log is written, but no longer than this: perhaps nobody reads it."""
    for handler in logging.getLogger().handlers:
        handler.flush()
    if _writer is not None:
        _writer.drain(timeout_s)


def configure(
    level: str,
    form: Literal["text", "json"],
    stream: TextIO | None = None,
    *,
    always: LogFields | None = None,
    in_background: bool = True,
) -> None:
    """Sends every logger of the process, libraries included, to `stream` (standard error).

    Args:
        always: fields of every line.
        in_background: write in a thread, so that a reader who stops reading stops nobody else.
    """
    # No line shows these, and finding them out for each line takes time.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # the source line, as the manual of `logging` recommends ("Optimization")
    global _writer, _always
    _always = always or {}
    target = writer_of(stream or sys.stderr) if in_background else stream or sys.stderr
    _writer = target if isinstance(target, LogWriter) else None
    handler = BatchingHandler(cast(TextIO, target))
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    handler.addFilter(HeaderFilter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for chatty in ("uvicorn", "asyncio"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))
