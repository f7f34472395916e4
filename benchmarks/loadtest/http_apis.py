"""Requests over the HTTP APIs, the server's own and the doors, as their clients send them and read the answers."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

HttpApi = Literal["json", "libretranslate", "deepl", "open_inference", "hugging_face"]
HTTP_APIS: tuple[HttpApi, ...] = get_args(HttpApi)
"""Those that translate."""

EmbeddingApi = Literal["openai"]
"""Those that turn texts into vectors."""

NEEDS_MODEL: frozenset[HttpApi | EmbeddingApi] = frozenset({"open_inference", "hugging_face", "openai"})
"""APIs whose requests name a model."""

DEEPL_MODELS = {1: "latency_optimized", 4: "quality_optimized"}
"""DeepL's names of searches, by the number of beams that the door makes of them."""

Json = Any


@dataclass(frozen=True)
class Translation:
    """What to translate, and how.

    Attributes:
        source, target: codes of languages; a source of "" is left to the API.
        model: "" leaves it to the server.
        num_beams: None leaves the search to the model.
    """

    texts: Sequence[str]
    source: str
    target: str
    model: str = ""
    num_beams: int | None = None


@dataclass(frozen=True)
class HttpRequest:
    """A request to POST. Attributes: body: JSON; num_texts: how many translations or vectors are due."""

    api: HttpApi | EmbeddingApi
    path: str
    body: bytes
    num_texts: int


class WrongAnswer(Exception):
    """An answer is not what the API's clients read."""


def embedding_request(texts: Sequence[str], model: str) -> HttpRequest:
    """Returns a request for the vectors of texts, as base64: OpenAI's client asks for it by itself."""
    body = {"input": list(texts), "model": model, "encoding_format": "base64"}
    content = json.dumps(body, ensure_ascii=False).encode()
    return HttpRequest("openai", "/openai/v1/embeddings", content, len(texts))


def http_request(api: HttpApi, translation: Translation) -> HttpRequest:
    """Returns a translation's request."""
    path, body = _REQUESTS[api](translation)
    given = {name: value for name, value in body.items() if value not in (None, "", {})}
    return HttpRequest(api, path, json.dumps(given, ensure_ascii=False).encode(), len(translation.texts))


def outputs_of(request: HttpRequest, answer: bytes) -> list[Any]:
    """Returns the translations or vectors of an answer with status 200, one for each text.

    Raises:
        WrongAnswer: it is no answer of the API, one is missing, or one is empty.
    """
    try:
        outputs = _OUTPUTS[request.api](json.loads(answer))
    except (ValueError, LookupError, TypeError) as error:
        raise WrongAnswer(f"the answer is none of {request.api}: {answer[:200]!r}") from error
    if len(outputs) != request.num_texts or not all(outputs):
        raise WrongAnswer(f"{request.num_texts} outputs are due: {answer[:200]!r}")
    return outputs


def _json(given: Translation) -> tuple[str, dict[str, Json]]:
    generation = {} if given.num_beams is None else {"num_beams": given.num_beams}
    return "/v1/translate", {
        "model": given.model,
        "texts": list(given.texts),
        "source_language": given.source,
        "target_language": given.target,
        "generation": generation,
    }


def _libretranslate(given: Translation) -> tuple[str, dict[str, Json]]:
    texts = given.texts[0] if len(given.texts) == 1 else list(given.texts)
    body = {"q": texts, "source": given.source or "auto", "target": given.target, "format": "text"}
    return "/libretranslate/translate", body


def _deepl(given: Translation) -> tuple[str, dict[str, Json]]:
    return "/deepl/v2/translate", {
        "text": list(given.texts),
        "source_lang": given.source.upper(),
        "target_lang": given.target.upper(),
        "model_type": None if given.num_beams is None else DEEPL_MODELS[given.num_beams],
    }


def _open_inference(given: Translation) -> tuple[str, dict[str, Json]]:
    tensor = {"name": "text", "shape": [len(given.texts)], "datatype": "BYTES", "data": list(given.texts)}
    parameters = {"source_language": given.source, "target_language": given.target, "num_beams": given.num_beams}
    return f"/v2/models/{given.model}/infer", {
        "inputs": [tensor],
        "outputs": [{"name": "text"}],
        "parameters": {name: value for name, value in parameters.items() if value},
    }


def _hugging_face(given: Translation) -> tuple[str, dict[str, Json]]:
    parameters = {"src_lang": given.source, "tgt_lang": given.target, "num_beams": given.num_beams}
    return f"/hugging-face/{given.model}", {
        "inputs": given.texts[0] if len(given.texts) == 1 else list(given.texts),
        "parameters": {name: value for name, value in parameters.items() if value},
    }


_REQUESTS: Mapping[HttpApi, Callable[[Translation], tuple[str, dict[str, Json]]]] = {
    "json": _json,
    "libretranslate": _libretranslate,
    "deepl": _deepl,
    "open_inference": _open_inference,
    "hugging_face": _hugging_face,
}


def _text_tensor(value: Json) -> list[str]:
    [tensor] = [output for output in value["outputs"] if output["name"] == "text"]
    return list(tensor["data"])


_OUTPUTS: Mapping[HttpApi | EmbeddingApi, Callable[[Json], list[Any]]] = {
    "json": lambda value: [result["hypotheses"][0]["text"] for result in value["results"]],
    "libretranslate": lambda value: (
        [value["translatedText"]] if isinstance(value["translatedText"], str) else list(value["translatedText"])
    ),
    "deepl": lambda value: [each["text"] for each in value["translations"]],
    "open_inference": _text_tensor,
    "hugging_face": lambda value: [each["translation_text"] for each in value],
    "openai": lambda value: [each["embedding"] for each in value["data"]],
}
