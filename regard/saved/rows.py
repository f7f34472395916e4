"""What tables and arrays hold of an outcome, beside the message itself."""

import json
from typing import Any

from regard.calls.mapping import Outcome
from regard.errors.as_json import error_object
from regard.v1 import regard_pb2 as pb
from regard.values.maps import AttentionMap
from regard.wire.images import ImageLike

Row = dict[str, Any]


def row_of(outcome: Outcome) -> Row:
    """The columns of an outcome but those of its alignment.

    `message` is the serialized Result of the API, with all its maps as the server sent them, dense or sparse; empty if
    the input failed.
    """
    result = outcome.result  # its message has what a table needs of tokens; reading them all as objects takes time
    best = None if result is None else result.best
    return {
        "index": outcome.index,
        "custom_id": outcome.custom_id,
        "input": shown_input(outcome.input),
        "error": None if outcome.error is None else json.dumps(error_object(outcome.error), ensure_ascii=False),
        "text": None if best is None else best.text,
        "score": None if best is None else best.score,
        "model": None if result is None else f"{result.model}@{result.model_version}",
        "source_tokens": [] if result is None else [token.piece for token in result.message.source_tokens],
        "tokens": [] if best is None else [token.piece for token in best.message.tokens],
        "pharaoh": None if best is None else best.pharaoh,
        "entropy": [] if best is None else list(best.message.entropy),
        "message": b"" if result is None else result.message.SerializeToString(),
    }


def alignment_of(outcome: Outcome) -> AttentionMap | None:
    """The alignment of the best hypothesis, of the whole text: [target, source]; None if there is none."""
    return None if outcome.result is None else outcome.result.best.alignment


def shown_input(given: ImageLike) -> str:
    """An input as a file can hold it: a text, or a picture's path; "" for pixels and bytes."""
    return given if isinstance(given, str) else str(given) if hasattr(given, "__fspath__") else ""


def message_of(content: bytes) -> pb.Result:
    """The message of a row."""
    return pb.Result.FromString(content)
