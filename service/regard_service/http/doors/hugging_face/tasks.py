"""Runs the model of the path, by its task."""

from collections.abc import Callable, Sequence

from google.protobuf.message import Message

from regard.v1 import regard_pb2 as pb
from regard_service.domain.models import ModelInfo, find
from regard_service.domain.results import Result
from regard_service.errors import InvalidInput, ModelNotFound, NotReady
from regard_service.http.context import HttpContext
from regard_service.http.doors.backend import DoorBackend
from regard_service.http.doors.door import Answer, Json
from regard_service.http.doors.hugging_face.generation import Parameters
from regard_service.http.doors.hugging_face.inputs import Inference
from regard_service.http.json_fields import fill, shown
from regard_service.languages.matching import match

_TAGS = {"translation": "translation", "summarization": "summarization", "captioning": "image-to-text"}
"""Hugging Face's names of the tasks."""


async def infer(message: Inference, backend: DoorBackend, context: HttpContext) -> Answer:
    """Runs a model.

    Raises:
        ModelNotFound, NotReady: there is no such model, or it does not serve.
        InvalidInput: by Hugging Face's names of the fields.
    """
    task = _model(message.model, backend).task
    if task == "captioning":
        return await _caption(message, backend, context)
    if isinstance(message.inputs, bytes):
        raise InvalidInput.of("inputs", f"must be a text; the body is {len(message.inputs)} bytes that are no JSON")
    if task == "translation":
        return await _translate(message, backend, context)
    return await _summarize(message, backend, context)


async def _translate(message: Inference, backend: DoorBackend, context: HttpContext) -> Answer:
    parameters = Parameters(message.parameters, has_languages=True, has_truncation=True)
    request = pb.TranslateRequest()
    rename = _renaming(parameters, message)
    try:
        _fill(request, {"texts": _listed(message)}, message, parameters)
        results = await backend.translate(request, context)
    except InvalidInput as error:
        raise error.renamed(rename) from error
    except ModelNotFound as error:  # the model is there: it has not these languages
        sources = [each.manifest.source_languages for each in backend.models() if each.manifest is not None]
        is_read = any(match(request.source_language, codes) for codes in sources) or not request.source_language
        name = "target_language" if is_read else "source_language"
        raise InvalidInput.of(rename(name), str(error)) from error
    return _answer(results, "translation_text", message)


async def _summarize(message: Inference, backend: DoorBackend, context: HttpContext) -> Answer:
    parameters = Parameters(message.parameters, has_languages=False, has_truncation=True)
    request = pb.SummarizeRequest()
    try:
        _fill(request, {"texts": _listed(message)}, message, parameters)
        results = await backend.summarize(request, context)
    except InvalidInput as error:
        raise error.renamed(_renaming(parameters, message)) from error
    return _answer(results, "summary_text", message)


async def _caption(message: Inference, backend: DoorBackend, context: HttpContext) -> Answer:
    parameters = Parameters(message.parameters, has_languages=False, has_truncation=False)
    request = pb.CaptionRequest()
    try:
        images: Json = {"images": _listed(message)}
        if isinstance(message.inputs, bytes):
            request.images.append(message.inputs)
            images = {}
        _fill(request, images, message, parameters)
        results = await backend.caption(request, context)
    except InvalidInput as error:
        raise error.renamed(_renaming(parameters, message)) from error
    return _answer(results, "generated_text", message)


def _fill(request: Message, inputs: Json, message: Inference, parameters: Parameters) -> None:
    fill(request, {**inputs, "model": message.model, **parameters.fields})


def _listed(message: Inference) -> list[Json]:
    inputs = message.inputs
    if not isinstance(inputs, str | list | bytes):
        raise InvalidInput.of("inputs", f"must be a text, or a list of texts; it is {shown(inputs)}")
    return inputs if isinstance(inputs, list) else [inputs]


def _renaming(parameters: Parameters, message: Inference) -> Callable[[str], str]:
    def rename(path: str) -> str:
        name, bracket, index = path.partition("[")
        if name in ("texts", "images"):
            return "inputs" + (bracket + index if message.is_list else "")
        unset = {"source_language": "parameters.src_lang", "target_language": "parameters.tgt_lang"}
        return parameters.paths.get(path, unset.get(path, path))

    return rename


def _answer(results: Sequence[Result], key: str, message: Inference) -> Answer:
    """Returns an object for each output, as a pipeline does: of a list of inputs with several outputs, lists."""
    outputs = [[{key: each.text} for each in result.hypotheses] for result in results]
    if not message.is_list:
        return Answer(outputs[0])
    return Answer([each[0] for each in outputs] if all(len(each) == 1 for each in outputs) else outputs)


async def info(message: str, backend: DoorBackend, context: HttpContext) -> Answer:
    """Describes a model. Raises ModelNotFound, NotReady."""
    model = _model(message, backend)
    tag = _TAGS[model.task] if model.task else ""
    return Answer({"model_id": model.name, "model_sha": model.version, "model_pipeline_tag": tag})


async def health(message: str, backend: DoorBackend, context: HttpContext) -> Answer:
    """Says that a model serves. Raises ModelNotFound, NotReady."""
    _model(message, backend)
    return Answer({"status": "ok"})


def _model(name: str, backend: DoorBackend) -> ModelInfo:
    plain, _, version = name.partition("@")
    model = find(backend.all_models(), plain, version or None)
    if model.state != "ready":
        raise NotReady(f"model {name!r} is {model.state}")
    return model
