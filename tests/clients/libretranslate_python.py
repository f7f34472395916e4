"""LibreTranslate's clients for Python, unmodified, against a server: prints what they got as JSON.

Arguments: the address of the door; its key, or "" for a server without tokens.
"""

import asyncio
import json
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from typing import Any

import libretranslate_aio as aio
from deep_translator import LibreTranslator
from libretranslatepy import LibreTranslateAPI

ADDRESS, KEY = sys.argv[1], sys.argv[2] or None
TEXT, TEXTS = "Where is the library?", ["Where is the library?", "My sister sleeps."]
SUBTITLES = b"1\n00:00:01,000 --> 00:00:02,000\nWhere is the library?\n"


def error(call: Callable[[], object]) -> str:
    """Returns the type and the words of the error that a call raises."""
    try:
        call()
    except Exception as raised:
        return f"{type(raised).__name__}: {raised}"
    return "none"


def libretranslatepy() -> dict[str, Any]:
    client = LibreTranslateAPI(ADDRESS, api_key=KEY)
    return {
        "text": client.translate(TEXT, "en", "de"),
        "languages": client.languages(),
        "detected": client.detect(TEXT),
        "bad": error(lambda: client.translate(TEXT, "en", "xx")),
        "forbidden": error(lambda: LibreTranslateAPI(ADDRESS, api_key="bad").translate(TEXT, "en", "de")),
    }


def deep_translator() -> dict[str, Any]:
    client = LibreTranslator(source="en", target="de", api_key=KEY or "any", custom_url=ADDRESS + "/")
    other = LibreTranslator(source="en", target="de", api_key="bad", custom_url=ADDRESS + "/")
    return {
        "text": client.translate(TEXT),
        "texts": client.translate_batch(TEXTS),
        "forbidden": error(lambda: other.translate(TEXT)),
    }


def libretranslate_aio() -> dict[str, Any]:
    with aio.LibreTranslate(ADDRESS, api_key=KEY) as client:
        several = client.translate(TEXTS, "auto", "es")
        others = client.translate(TEXT, "en", "de", alternatives=2)
        with tempfile.NamedTemporaryFile(suffix=".srt") as source:
            source.write(SUBTITLES)
            source.flush()
            file = client.translate_file(source.name, "en", "de")
        with urllib.request.urlopen(file.translated_file_url) as answer:
            translated = answer.read().decode()
        settings = client.frontend_settings()
        return {
            "texts": several.translated_text,
            "detected": [each.language for each in several.detected_language],
            "page": client.translate("<p>Where is <b>the library</b>?</p>", "en", "de", format="html").translated_text,
            "alternatives": [others.translated_text, *others.alternatives],
            "languages": {each.code: each.targets for each in client.languages()},
            "detect": [[each.language, each.confidence] for each in client.detect(TEXT)],
            "file": translated,
            "settings": [settings.char_limit, settings.key_required, settings.suggestions],
            "suggest": error(lambda: client.suggest(TEXT, "Wo?", "en", "de")),
            "bad": error(lambda: client.translate(TEXT, "en", "xx")),
            "health": client.health(),
            "asynchronous": asyncio.run(asynchronous()),
        }


async def asynchronous() -> Any:
    async with aio.AsyncLibreTranslate(ADDRESS, api_key=KEY) as client:
        results = await asyncio.gather(*(client.translate(text, "en", "de") for text in TEXTS))
    return [result.translated_text for result in results]


def main() -> dict[str, Any]:
    return {
        "libretranslatepy": libretranslatepy(),
        "deep_translator": deep_translator(),
        "libretranslate_aio": libretranslate_aio(),
    }


if __name__ == "__main__":
    print(json.dumps(main()))  # noqa: T201
