"""`huggingface_hub.InferenceClient`, unmodified, against a server: prints what it got as JSON.

Arguments: the address of the door, and a picture.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from huggingface_hub import InferenceClient

ADDRESS, PICTURE = sys.argv[1], Path(sys.argv[2])
TEXT = "Where is the library?"
MAIL = "Dear all, the meeting of tomorrow is moved to Friday at noon, because the room is being painted."


def client(model: str) -> InferenceClient:
    return InferenceClient(model=f"{ADDRESS}/{model}")


def error(call: Callable[[], object]) -> str:
    """Returns the type and the words of the error that a call raises."""
    try:
        call()
    except Exception as raised:
        return f"{type(raised).__name__}: {raised}"
    return "none"


def german(parameters: dict[str, Any]) -> str:
    translator = client("everyday")
    done = translator.translation(TEXT, src_lang="en", tgt_lang="de", generate_parameters=parameters)
    return str(done.translation_text)


def main() -> dict[str, Any]:
    translator, summarizer, captioner = client("everyday"), client("headlines"), client("flickr8k")
    greedy: dict[str, Any] = {"num_beams": 1, "do_sample": False, "max_length": 9}
    return {
        "translation": translator.translation(TEXT, src_lang="en", tgt_lang="de").translation_text,
        "greedy": translator.translation(
            TEXT, src_lang="en", tgt_lang="de", generate_parameters=greedy
        ).translation_text,
        "summary": summarizer.summarization(MAIL, truncation="only_first").summary_text,
        "bytes": captioner.image_to_text(PICTURE.read_bytes()).generated_text,
        "path": captioner.image_to_text(str(PICTURE)).generated_text,
        "language": error(lambda: translator.translation(TEXT, src_lang="en", tgt_lang="xx")),
        "parameter": error(lambda: german({"num_beams": 99})),
        "unknown": error(lambda: german({"typical_p": 0.5})),
        "model": error(lambda: client("nothing").translation(TEXT)),
        "picture": error(lambda: captioner.image_to_text(b"no picture")),
    }


if __name__ == "__main__":
    print(json.dumps(main()))  # noqa: T201
