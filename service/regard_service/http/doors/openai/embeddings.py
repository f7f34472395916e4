"""Encodes texts, and lists the models that do."""

import base64
from collections.abc import Callable, Sequence
from functools import partial

from regard.arrays import Float32Array
from regard.v1 import regard_pb2 as pb
from regard_service.bundle import VectorOutput
from regard_service.convert.one_step import is_slow_to_write
from regard_service.domain.models import ModelInfo, find
from regard_service.domain.outputs import EncodeResult
from regard_service.errors import InvalidInput, ModelNotFound, NotReady, there_are
from regard_service.http.context import HttpContext
from regard_service.http.doors.backend import DoorBackend
from regard_service.http.doors.door import Answer, Json, write_json
from regard_service.http.doors.openai.inputs import Embeddings


async def embed(message: Embeddings, backend: DoorBackend, context: HttpContext) -> Answer:
    """Encodes texts. Vectors have length 1, as those of OpenAI's models.

    Raises:
        ModelNotFound, NotReady: there is no such model, or it does not serve.
        InvalidInput: by OpenAI's names of the fields.
    """
    _check_dimensions(message, _model(message.model, backend))
    request = pb.EncodeRequest(model=message.model, texts=message.texts, normalized=True)
    try:
        results = await backend.encode(request, context)
    except InvalidInput as error:
        raise error.renamed(_renaming(message)) from error
    write = partial(_write, results, message)
    return Answer(await backend.apart(write) if is_slow_to_write(results) else write())


async def list_models(message: None, backend: DoorBackend, context: HttpContext) -> Answer:
    """Lists the models that encode and serve."""
    return Answer({"object": "list", "data": [_described(model) for model in _encoders(backend)]})


async def show_model(message: str, backend: DoorBackend, context: HttpContext) -> Answer:
    """Describes a model. Raises ModelNotFound, NotReady, or InvalidInput for one that does not encode."""
    return Answer(_described(_model(message, backend)))


def _write(results: Sequence[EncodeResult], message: Embeddings) -> bytes:
    num_tokens = sum(result.read.num_tokens for result in results)
    vectors = [_written(result.vector, is_base64=message.is_base64) for result in results]
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    usage = {"prompt_tokens": num_tokens, "total_tokens": num_tokens}
    return write_json({"object": "list", "data": data, "model": message.model, "usage": usage})


def _written(vector: Float32Array, *, is_base64: bool) -> Json:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode() if is_base64 else vector.tolist()


def _encoders(backend: DoorBackend) -> list[ModelInfo]:
    return [model for model in backend.models() if model.task == "encoding"]


def _described(model: ModelInfo) -> Json:
    # When a model was made is not known; clients expect the field.
    return {"id": model.name, "object": "model", "created": 0, "owned_by": "regard"}


def _model(name: str, backend: DoorBackend) -> ModelInfo:
    plain, _, version = name.partition("@")
    try:
        model = find(backend.all_models(), plain, version or None)
    except ModelNotFound:
        known = there_are(f"{each.name}@{each.version}" for each in _encoders(backend))
        raise ModelNotFound(f"there is no model {name!r}; of models that encode {known}") from None
    if model.state != "ready":
        raise NotReady(f"model {name!r} is {model.state}")
    if model.task != "encoding":
        raise InvalidInput.of("model", f"model {name!r} makes no vectors: its task is {model.task}")
    return model


def _check_dimensions(message: Embeddings, model: ModelInfo) -> None:
    """Vectors cannot be cut: only models that were trained so keep their meaning in fewer numbers."""
    output = None if model.manifest is None else model.manifest.output
    if message.dimensions is None or not isinstance(output, VectorOutput) or message.dimensions == output.width:
        return
    text = f"is {message.dimensions}; vectors of model {message.model!r} have {output.width} numbers and cannot be cut"
    raise InvalidInput.of("dimensions", text)


def _renaming(message: Embeddings) -> Callable[[str], str]:
    def rename(path: str) -> str:
        name, bracket, index = path.partition("[")
        if name != "texts":
            return path
        return "input" + (bracket + index if message.is_list else "")

    return rename
