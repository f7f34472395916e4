"""The OpenAPI document of Hugging Face's door."""

from regard_service.http.doors.hugging_face.generation import NESTED, PARAMETERS
from regard_service.http.doors.openapi import ERRORS_OF_MODELS, Json, Operation, answer, array, document, object_of

_TEXT: Json = {"type": "string"}
_MODEL: Json = {
    "name": "model",
    "in": "path",
    "required": True,
    "description": 'Name of a loaded model; with "@" and a version that version.',
    "schema": _TEXT,
}
_GENERATION: Json = {name: {"description": "As of transformers' `generate`."} for name in PARAMETERS}
_PARAMETERS: Json = {
    "type": "object",
    "description": "Parameters of `generate`, here or within `generate_parameters` or `generation_parameters`.",
    "properties": {
        **_GENERATION,
        **{name: {"type": "object", "properties": _GENERATION} for name in NESTED},
        "src_lang": {"type": "string", "description": "Of a translator: the language of the text."},
        "tgt_lang": {"type": "string", "description": "Of a translator: the language to translate into."},
        "truncation": {
            "type": "string",
            "enum": ["do_not_truncate", "longest_first", "only_first"],
            "description": "What to do with a text that is longer than the model takes.",
        },
    },
}
_INPUTS: Json = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "inputs": {"oneOf": [_TEXT, array(_TEXT)], "description": "A text or a list; of a picture its base64."},
        "parameters": _PARAMETERS,
        "options": {"type": "object", "description": "No effect."},
    },
}
_OUTPUT: Json = {
    "type": "object",
    "properties": {
        "translation_text": {"type": "string", "description": "Of a translator."},
        "summary_text": {"type": "string", "description": "Of a summarizer."},
        "generated_text": {"type": "string", "description": "Of a captioner."},
    },
}

_OPERATIONS = (
    Operation(
        "Infer",
        "post",
        "/{model}",
        "Runs a model",
        "Translates, summarizes, or describes a picture, as the model's task is.",
        answer=answer("An object for each output.", array(_OUTPUT)),
        content={
            "application/json": _INPUTS,
            "application/octet-stream": {"type": "string", "description": "A picture: a JPEG, PNG or WebP file."},
        },
        parameters=(_MODEL,),
    ),
    Operation(
        "Info",
        "get",
        "/{model}/info",
        "Describes a model",
        "Its name, version and task.",
        answer=answer("The model.", object_of(model_id=_TEXT, model_sha=_TEXT, model_pipeline_tag=_TEXT)),
        parameters=(_MODEL,),
    ),
    Operation(
        "Health",
        "get",
        "/{model}/health",
        "Says that a model serves",
        "404 if there is none of that name, 503 if it is not ready.",
        answer=answer("The model serves.", object_of(status=_TEXT)),
        parameters=(_MODEL,),
    ),
)

_ERRORS = {
    "400": "A field is bad; the text names it.",
    **ERRORS_OF_MODELS,
}


def describe(version: str) -> Json:
    """Returns the document."""
    return document(
        title="Hugging Face's inference API on Regard",
        version=version,
        prefix="/hugging-face",
        operations=_OPERATIONS,
        errors=_ERRORS,
        error=object_of(error={"type": "string", "description": "What went wrong, in words."}),
        security={"bearer": {"type": "http", "scheme": "bearer", "description": "A token of the tokens file."}},
    )
