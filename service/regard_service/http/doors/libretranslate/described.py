"""The OpenAPI document of LibreTranslate's door."""

from regard_service.http.doors.libretranslate.files import DOWNLOAD, PREFIX
from regard_service.http.doors.libretranslate.texts import MAX_ALTERNATIVES
from regard_service.http.doors.openapi import Json, Operation, answer, array, document, object_of

_TEXT: Json = {"type": "string"}
_SOURCE: Json = {
    "type": "string",
    "description": 'Code of the language of `q`, as /languages lists it; "auto" detects it.',
    "examples": ["en", "auto"],
}
_TARGET: Json = {"type": "string", "description": "Code of the language to translate into.", "examples": ["de"]}
_KEY: Json = {"type": "string", "description": "A token of the server's tokens file, if it has one."}
_ONE_OR_MANY: Json = {"oneOf": [_TEXT, array(_TEXT)]}
_DETECTED = object_of(
    confidence={"type": "number", "minimum": 0, "maximum": 100, "description": "How sure that is, in percent."},
    language={"type": "string", "description": 'Its code; "und" if it is unknown.'},
)
_LANGUAGE = object_of(
    code={"type": "string", "description": "Its code, as `source` and `target` take it.", "examples": ["de"]},
    name={"type": "string", "description": "Its name in English.", "examples": ["German"]},
    targets=array(_TEXT) | {"description": "Codes of the languages that it can be translated into."},
)
_TRANSLATION: Json = {
    "type": "object",
    "required": ["q", "source", "target"],
    "properties": {
        "q": _ONE_OR_MANY | {"description": "A text, or a list of texts. A form repeats `q` to give a list."},
        "source": _SOURCE,
        "target": _TARGET,
        "format": {
            "type": "string",
            "enum": ["text", "html"],
            "default": "text",
            "description": "What `q` is written in.",
        },
        "alternatives": {
            "type": "integer",
            "minimum": 0,
            "maximum": MAX_ALTERNATIVES,
            "default": 0,
            "description": "How many more translations to return, the next best ones of a beam search.",
        },
        "api_key": _KEY,
    },
}
_TRANSLATED: Json = {
    "type": "object",
    "required": ["translatedText"],
    "properties": {
        "translatedText": _ONE_OR_MANY | {"description": "A list where `q` is one."},
        "detectedLanguage": {
            "oneOf": [_DETECTED, array(_DETECTED)],
            "description": 'With the source "auto"; a list where `q` is one.',
        },
        "alternatives": {
            "oneOf": [array(_TEXT), array(array(_TEXT))],
            "description": "Other translations, if `alternatives` is above 0; a list of lists where `q` is a list.",
        },
    },
}
_DETECTION: Json = {
    "type": "object",
    "required": ["q"],
    "properties": {"q": {"type": "string", "description": "A text."}, "api_key": _KEY},
}
_FILE_TRANSLATION: Json = {
    "type": "object",
    "required": ["file", "source", "target"],
    "properties": {
        "file": {
            "type": "string",
            "contentMediaType": "application/octet-stream",
            "description": "The file; its name's ending tells the format.",
        },
        "source": _SOURCE,
        "target": _TARGET,
        "api_key": _KEY,
    },
}
_SETTINGS: Json = {"type": "object", "description": "As LibreTranslate's page reads them."}
_FORM, _PARTS = "application/x-www-form-urlencoded", "multipart/form-data"


def _fields(schema: Json) -> Json:
    """Returns the ways to send fields; a request without a body has them in its query."""
    return {"application/json": schema, _FORM: schema, _PARTS: schema}


_OPERATIONS = (
    Operation(
        "Translate",
        "post",
        "/translate",
        "Translates texts",
        "A text, or a list of texts. Fields may also stand in the query of a request without a body.",
        answer=answer("The translations.", _TRANSLATED),
        content=_fields(_TRANSLATION),
    ),
    Operation(
        "Detect",
        "post",
        "/detect",
        "Detects the language of a text",
        "Among the languages that the loaded models read. The list has one element.",
        answer=answer("The language.", array(_DETECTED)),
        content=_fields(_DETECTION),
    ),
    Operation(
        "Languages",
        "get",
        "/languages",
        "Lists the languages",
        "Every language that a loaded model reads or writes. Needs no key.",
        answer=answer("The languages.", array(_LANGUAGE)),
        is_open=True,
    ),
    Operation(
        "TranslateFile",
        "post",
        "/translate_file",
        "Translates a file",
        "The translation is kept for half an hour.",
        answer=answer("Where the translation is.", object_of(translatedFileUrl=_TEXT | {"format": "uri"})),
        content={_PARTS: _FILE_TRANSLATION},
    ),
    Operation(
        "DownloadFile",
        "get",
        f"{DOWNLOAD}/{{filename}}",
        "Returns a translated file",
        "Needs no key: nobody can guess the address.",
        answer=answer("The file.", {"type": "string"}, "application/octet-stream"),
        parameters=(
            {
                "name": "filename",
                "in": "path",
                "required": True,
                "description": "As in `translatedFileUrl`.",
                "schema": _TEXT,
            },
        ),
        is_open=True,
    ),
    Operation(
        "Suggest",
        "post",
        "/suggest",
        "Refuses a better translation",
        "Always 403: the models do not learn from suggestions.",
        answer={},
    ),
    Operation(
        "FrontendSettings",
        "get",
        "/frontend/settings",
        "Tells the limits",
        "Needs no key.",
        answer=answer("The limits.", _SETTINGS),
        is_open=True,
    ),
    Operation(
        "Health",
        "get",
        "/health",
        "Says that the server answers",
        "Needs no key.",
        answer=answer("The server answers.", object_of(status=_TEXT)),
        is_open=True,
    ),
)

_ERRORS = {
    "400": "A field is missing or bad, or there is no such language; the text names the field.",
    "403": "The key is missing or unknown, or a page of another site made the request.",
    "429": "The queue is full, or the key's quota is used up; `retry-after` says when to return.",
    "default": "Any other error.",
}
_ERROR = object_of(error={"type": "string", "description": "What went wrong, in words."})


def describe(version: str) -> Json:
    """Returns the document."""
    return document(
        title="LibreTranslate's API on Regard",
        version=version,
        prefix=PREFIX,
        operations=_OPERATIONS,
        errors=_ERRORS,
        error=_ERROR,
        security={
            "key": {
                "type": "apiKey",
                "in": "query",
                "name": "api_key",
                "description": "A token of the server's tokens file; as a field of the body it is the same.",
            },
            "bearer": {"type": "http", "scheme": "bearer", "description": "The same token as a header."},
        },
    )
