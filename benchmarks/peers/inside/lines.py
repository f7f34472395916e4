"""A worker's side of the line protocol: reads one call per line and writes one answer per line, both JSON.

{"call": "run", "arguments": {...}}  ->  {"result": ...}  or  {"error": "a traceback"}
"""

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

Calls = Mapping[str, Callable[..., Any]]


def serve(calls: Calls) -> None:
    """Answers calls until standard input ends; redirects the output of libraries to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        print(json.dumps(_answer(calls, line)), file=answers, flush=True)


def _answer(calls: Calls, line: str) -> dict[str, Any]:
    try:
        request = json.loads(line)
        return {"result": calls[request["call"]](**request["arguments"])}
    except Exception:
        return {"error": traceback.format_exc()}
