"""The form of the log's lines, and the fields of a call."""

import asyncio
import json
import logging
from io import StringIO

from regard_service.observability import logs


def line(formatter: logging.Formatter, **fields: object) -> str:
    record = logging.LogRecord("service", logging.INFO, "", 0, "call %s", ("made",), None)
    record.fields = fields
    return formatter.format(record)


def test_a_json_line_has_its_fields() -> None:
    parsed = json.loads(line(logs.JsonFormatter(), code="OK", num_inputs=2))
    assert parsed.items() >= {"level": "info", "message": "call made", "code": "OK", "num_inputs": 2}.items()


def test_a_text_line_stays_one_line() -> None:
    text = line(logs.TextFormatter(), request_id="a\nb c", duration_ms=1.5)
    assert text.endswith('INFO    call made request_id="a\\nb c" duration_ms=1.5')
    assert "\n" not in text


def test_fields_of_a_call_stay_with_its_task() -> None:
    async def call(name: str) -> logs.LogFields:
        fields: logs.LogFields = {"request_id": name}
        logs.begin_call(fields)
        await asyncio.sleep(0)
        logs.note(model=f"model of {name}")
        return fields

    async def both() -> tuple[logs.LogFields, ...]:
        return await asyncio.gather(call("a"), call("b"))

    assert [fields["model"] for fields in asyncio.run(both())] == ["model of a", "model of b"]


def test_configure_applies_to_every_logger() -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = StringIO()
    try:
        logs.configure("info", "json", stream)
        logging.getLogger("anything").warning("seen")
        logging.getLogger("uvicorn.error").info("not seen")
    finally:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
    assert [json.loads(entry)["message"] for entry in stream.getvalue().splitlines()] == ["seen"]
