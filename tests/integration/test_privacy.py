"""Neither the log nor metrics contain users' texts or outputs; for traces, see test_traces.py."""

import json
import logging
import urllib.error
import urllib.request
from collections.abc import Iterator
from io import StringIO

import pytest

import regard
from regard_service.app.server import Server
from regard_service.app.settings import Settings
from regard_service.observability import logs
from tests.integration.conftest import running
from tests.waiting import PATIENCE_S

TEXT = "My grandmother hides the emerald necklace under the wooden floor."
PRIVATE = "quuxwort"  # used as the name of anything that a caller names


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running(Settings(grpc_port=0, http_port=0, models=("everyday", "flickr8k"))) as server:
        yield server


@pytest.fixture
def log() -> Iterator[StringIO]:
    """Captures the whole log of a server at its most verbose, fields included."""
    loggers = [logging.getLogger(name) for name in (None, "uvicorn", "asyncio")]
    levels, handlers, stream = [each.level for each in loggers], loggers[0].handlers[:], StringIO()
    logs.configure("debug", "json", stream)
    try:
        yield stream
    finally:
        loggers[0].handlers[:] = handlers
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)


def post(server: Server, path: str, body: object) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.http_port}{path}",
        data=json.dumps(body).encode(),
        headers={"content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        error.close()


def make_all_kinds_of_calls(server: Server) -> list[str]:
    """Makes calls that are answered and calls that are refused; returns the outputs."""
    with regard.Client(f"127.0.0.1:{server.grpc_port}") as client:
        written = [client.translate(TEXT, to="de", attention=True).text]
        written += [event.text for event in client.stream_translate(TEXT, to="fr") if hasattr(event, "text")]
        for refused in (
            lambda: client.translate(TEXT, to=PRIVATE),
            lambda: client.translate(TEXT, to="de", model=PRIVATE),
            lambda: client.translate(TEXT * 200, to="de", truncation="reject", raw=True),
            lambda: client.summarize(TEXT, style=PRIVATE),
            lambda: client.caption(PRIVATE.encode()),
        ):
            with pytest.raises(regard.RegardError):
                refused()
    for body in ({"texts": [TEXT], "target_language": "de"}, {PRIVATE: [TEXT]}, {"texts": {PRIVATE: TEXT}}):
        post(server, "/v1/translate", body)
    post(server, f"/v1/{PRIVATE}", {"texts": [TEXT]})
    return written


def test_neither_log_nor_metrics_contain_users_text(server: Server, log: StringIO) -> None:
    written = " ".join([TEXT, PRIVATE, *make_all_kinds_of_calls(server)])
    logging.getLogger().handlers[0].flush()  # lines are written in batches
    with urllib.request.urlopen(f"http://127.0.0.1:{server.http_port}/metrics", timeout=PATIENCE_S) as answer:
        found = {"log": log.getvalue().lower(), "metrics": answer.read().decode().lower()}
    assert found["log"].count("attentionservice/translate") == 7
    words = {word for word in written.lower().replace(".", " ").split() if len(word) > 5}
    assert len(words) >= 8
    for where, text in found.items():
        assert {word for word in words if word in text} == set(), where
