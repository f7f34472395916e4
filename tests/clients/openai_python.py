"""`openai.OpenAI`, unmodified, against a server: prints what it got as JSON. Arguments: the address, and the key."""

import json
import sys
from collections.abc import Callable
from typing import Any

from openai import OpenAI

TEXTS = ["Where is the library?", "Two dogs are running through the snow."]


def error(call: Callable[[], object]) -> list[Any]:
    """Returns the type, the bad field, the code and the words of the error that a call raises."""
    try:
        call()
    except Exception as raised:
        return [type(raised).__name__, getattr(raised, "param", ""), getattr(raised, "code", ""), str(raised)]
    return []


def main() -> dict[str, Any]:
    client = OpenAI(base_url=sys.argv[1], api_key=sys.argv[2], max_retries=0)
    embed = client.embeddings.create
    many = embed(model="vectors", input=TEXTS)
    floats = embed(model="vectors", input=TEXTS[0], encoding_format="float", dimensions=32, user="me")
    return {
        "vectors": [each.embedding for each in many.data],
        "indexes": [each.index for each in many.data],
        "model": many.model,
        "usage": [many.usage.prompt_tokens, many.usage.total_tokens],
        "floats": floats.data[0].embedding,
        "models": [model.id for model in client.models.list().data],
        "shown": client.models.retrieve("vectors").id,
        "missing": error(lambda: embed(model="text-embedding-3-small", input="a")),
        "labels": error(lambda: embed(model="labels", input="a")),
        "ids": error(lambda: embed(model="vectors", input=[1, 2, 3])),
        "cut": error(lambda: embed(model="vectors", input="a", dimensions=8)),
        "blank": error(lambda: embed(model="vectors", input=["a", " "])),
        "long": error(lambda: embed(model="vectors", input="the dog and the man " * 20)),
        "many": error(lambda: embed(model="vectors", input=["a"] * 129)),
        "key": error(lambda: OpenAI(base_url=sys.argv[1], api_key="bad").models.list()),
    }


if __name__ == "__main__":
    print(json.dumps(main()))  # noqa: T201
