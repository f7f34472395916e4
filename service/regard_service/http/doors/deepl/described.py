"""The OpenAPI document of DeepL's door."""

from regard_service.http.doors.deepl.translations import LATENCY, MAX_TEXTS, PREFERS_QUALITY, QUALITY, UNUSED
from regard_service.http.doors.fields import FORM, PARTS
from regard_service.http.doors.openapi import Json, Operation, answer, array, document, object_of

PREFIX = "/deepl"

_TEXT: Json = {"type": "string"}
_COUNT: Json = {"type": "integer", "minimum": 0}
_FLAG: Json = {"type": "boolean"}
_TAGS: Json = {"oneOf": [array(_TEXT), _TEXT], "description": "A list, or one text with commas."}
_SOURCE: Json = {"type": "string", "description": "Code of a language that is read.", "examples": ["EN"]}
_TARGET: Json = {"type": "string", "description": "Code of a language that is written.", "examples": ["DE", "EN-GB"]}


def _object(required: tuple[str, ...], **properties: Json) -> Json:
    return {"type": "object", "required": [*required], "properties": properties, "additionalProperties": False}


def _body(schema: Json) -> dict[str, Json]:
    return {"application/json": schema, FORM: schema}


_CUSTOMIZED: dict[str, Json] = {
    "formality": {
        "enum": ["default", "prefer_more", "prefer_less"],
        "description": 'No model of this server has forms of politeness. "more" and "less" are refused.',
    },
    "glossary_id": {"type": "string", "description": "A glossary; needs `source_lang`."},
    "glossary_ids": _TAGS | {"description": "At most 5 glossaries, in order; needs `source_lang`."},
}
_TRANSLATE = _object(
    ("text", "target_lang"),
    text={"oneOf": [array(_TEXT) | {"maxItems": MAX_TEXTS}, _TEXT], "description": "The texts, or one."},
    target_lang=_TARGET,
    source_lang=_SOURCE | {"description": "Unset: the language of each text is detected."},
    split_sentences={
        "enum": ["0", "1", "nonewlines"],
        "description": "0: each text, or running text of markup, is one sentence. nonewlines: breaks count as spaces, "
        "as they always do in markup.",
    },
    tag_handling={"enum": ["xml", "html"]},
    ignore_tags=_TAGS | {"description": "Elements whose contents stay as they are."},
    splitting_tags=_TAGS | {"description": "Elements at whose tags sentences end, wherever they stand."},
    non_splitting_tags=_TAGS | {"description": "Elements at whose tags no sentence ends."},
    outline_detection=_FLAG
    | {"description": "False: sentences end at the tags of `splitting_tags` alone. Of XML; true for HTML."},
    model_type={
        "enum": [LATENCY, QUALITY, PREFERS_QUALITY],
        "description": "Greedy search for latency, beam search for quality. Unset: the model's own search.",
    },
    **_CUSTOMIZED,
    **{name: {"description": "Accepted; it has no effect."} for name in UNUSED},
)
_TRANSLATIONS = object_of(
    translations=array(
        {
            "type": "object",
            "required": ["detected_source_language", "text", "billed_characters"],
            "properties": {
                "detected_source_language": _SOURCE,
                "text": _TEXT,
                "billed_characters": _COUNT | {"description": "Unicode code points of the text of the request."},
                "model_type_used": {"enum": [LATENCY, QUALITY], "description": "If `model_type` was set."},
            },
        }
    )
)
_PAIR: dict[str, Json] = {"source_lang": _SOURCE, "target_lang": _TARGET}
_ENTRIES: dict[str, Json] = {
    "entries": {"type": "string", "description": "A pair of terms a line."},
    "entries_format": {"enum": ["tsv", "csv"], "default": "tsv"},
}
_DICTIONARY = object_of(source_lang=_TEXT, target_lang=_TEXT, entry_count=_COUNT)
_HEAD: dict[str, Json] = {
    "glossary_id": _TEXT,
    "name": _TEXT,
    "creation_time": {"type": "string", "format": "date-time"},
}
_MONOLINGUAL = object_of(**_HEAD, ready=_FLAG, source_lang=_TEXT, target_lang=_TEXT, entry_count=_COUNT)
_MULTILINGUAL = object_of(**_HEAD, dictionaries=array(_DICTIONARY))
_NEW_DICTIONARY = _object(("source_lang", "target_lang", "entries"), **_PAIR, **_ENTRIES)
_GLOSSARY_ID: Json = {"name": "glossary_id", "in": "path", "required": True, "schema": _TEXT}
_NOTHING: Json = {"204": {"description": "It is deleted."}}


def _queried(*names: str, is_needed: bool) -> tuple[Json, ...]:
    return tuple({"name": name, "in": "query", "required": is_needed, "schema": _TEXT} for name in names)


_TEXTS_AND_LANGUAGES = (
    Operation(
        "Translate",
        "post",
        "/v2/translate",
        "Translates texts",
        "A parameter that is not described here is refused by name.",
        answer=answer("The translations, in the order of the texts.", _TRANSLATIONS),
        content=_body(_TRANSLATE),
    ),
    Operation(
        "Languages",
        "get",
        "/v2/languages",
        "Lists the languages",
        "Those that the loaded models read, or those that they write, in DeepL's codes.",
        answer=answer(
            "The languages.", array(_object(("language", "name"), language=_TEXT, name=_TEXT, supports_formality=_FLAG))
        ),
        parameters=({"name": "type", "in": "query", "schema": {"enum": ["source", "target"], "default": "source"}},),
    ),
    Operation(
        "Usage",
        "get",
        "/v2/usage",
        "Says how many characters the caller has sent",
        "Since the server started, by this API. Without tokens, all callers together. There is no limit.",
        answer=answer("The usage.", object_of(character_count=_COUNT, character_limit=_COUNT)),
    ),
    Operation(
        "GlossaryPairs",
        "get",
        "/v2/glossary-language-pairs",
        "Lists the pairs of languages of glossaries",
        "Those that the loaded models translate.",
        answer=answer("The pairs.", object_of(supported_languages=array(object_of(**_PAIR)))),
    ),
)
_DOCUMENT_ID: Json = {"name": "document_id", "in": "path", "required": True, "schema": _TEXT}
_KEY = _body(_object(("document_key",), document_key={"type": "string", "description": "As the upload returned it."}))
_UPLOAD = _object(
    ("file", "target_lang"),
    file={"type": "string", "contentMediaType": "application/octet-stream", "description": "With its file name."},
    target_lang=_TARGET,
    source_lang=_SOURCE,
    filename={"type": "string", "description": "Unset: that of `file`. Its ending tells the format."},
    output_format={"type": "string", "description": "That of the document; another one is refused."},
    **_CUSTOMIZED,
)
_STATUS = _object(
    ("document_id", "status"),
    document_id=_TEXT,
    status={"enum": ["translating", "done", "error"]},
    seconds_remaining=_COUNT | {"description": "While it is being translated: an estimate."},
    billed_characters=_COUNT | {"description": "When it is done: Unicode code points of its texts."},
    error_message={"type": "string", "description": "Why it was not translated."},
)
_DOCUMENTS = (
    Operation(
        "UploadDocument",
        "post",
        "/v2/document",
        "Begins to translate a document",
        "The answer comes when the document has been read: what is wrong with it is an error of this call.",
        answer=answer("The document.", object_of(document_id=_TEXT, document_key=_TEXT)),
        content={PARTS: _UPLOAD},
    ),
    Operation(
        "DocumentStatus",
        "post",
        "/v2/document/{document_id}",
        "Says how far a document is",
        "A document is kept for an hour.",
        answer=answer("The status.", _STATUS),
        content=_KEY,
        parameters=(_DOCUMENT_ID,),
    ),
    Operation(
        "DownloadDocument",
        "post",
        "/v2/document/{document_id}/result",
        "Returns a translated document",
        "503 until it is translated. What has been fetched makes room for other documents first.",
        answer=answer("The document, of its own media type.", {"type": "string"}, "application/octet-stream"),
        content=_KEY,
        parameters=(_DOCUMENT_ID,),
    ),
)
_MONOLINGUAL_GLOSSARIES = (
    Operation(
        "CreateGlossary",
        "post",
        "/v2/glossaries",
        "Keeps a glossary",
        'The token needs the scope "admin".',
        answer=answer("The glossary.", _MONOLINGUAL, status="201"),
        content=_body(_object(("name", "source_lang", "target_lang", "entries"), name=_TEXT, **_PAIR, **_ENTRIES)),
    ),
    Operation(
        "ListGlossaries",
        "get",
        "/v2/glossaries",
        "Lists the glossaries of one pair of languages",
        "Those of the server that were made otherwise are among them.",
        answer=answer("The glossaries.", object_of(glossaries=array(_MONOLINGUAL))),
    ),
    Operation(
        "GetGlossary",
        "get",
        "/v2/glossaries/{glossary_id}",
        "Returns a glossary",
        "Without its entries.",
        answer=answer("The glossary.", _MONOLINGUAL),
        parameters=(_GLOSSARY_ID,),
    ),
    Operation(
        "GetEntries",
        "get",
        "/v2/glossaries/{glossary_id}/entries",
        "Returns the entries of a glossary",
        "A term's options, which the server has and DeepL has not, are left out.",
        answer=answer("A pair of terms a line.", _TEXT, "text/tab-separated-values"),
        parameters=(_GLOSSARY_ID,),
    ),
    Operation(
        "DeleteGlossary",
        "delete",
        "/v2/glossaries/{glossary_id}",
        "Deletes a glossary",
        'The token needs the scope "admin".',
        answer=_NOTHING,
        parameters=(_GLOSSARY_ID,),
    ),
)
_MULTILINGUAL_GLOSSARIES = (
    Operation(
        "CreateMultilingual",
        "post",
        "/v3/glossaries",
        "Keeps a glossary",
        'All of its dictionaries, or none. The token needs the scope "admin".',
        answer=answer("The glossary.", _MULTILINGUAL, status="201"),
        content=_body(_object(("name", "dictionaries"), name=_TEXT, dictionaries=array(_NEW_DICTIONARY))),
    ),
    Operation(
        "ListMultilingual",
        "get",
        "/v3/glossaries",
        "Lists the glossaries",
        "Those of the server that were made otherwise are among them.",
        answer=answer("The glossaries.", object_of(glossaries=array(_MULTILINGUAL))),
    ),
    Operation(
        "GetMultilingual",
        "get",
        "/v3/glossaries/{glossary_id}",
        "Returns a glossary",
        "Without its entries.",
        answer=answer("The glossary.", _MULTILINGUAL),
        parameters=(_GLOSSARY_ID,),
    ),
    Operation(
        "ChangeMultilingual",
        "patch",
        "/v3/glossaries/{glossary_id}",
        "Changes a glossary",
        'Renames it, adds entries to its dictionaries, and adds dictionaries. The token needs the scope "admin".',
        answer=answer("The glossary.", _MULTILINGUAL),
        content=_body(_object((), name=_TEXT, dictionaries=array(_NEW_DICTIONARY))),
        parameters=(_GLOSSARY_ID,),
    ),
    Operation(
        "DeleteMultilingual",
        "delete",
        "/v3/glossaries/{glossary_id}",
        "Deletes a glossary",
        'The token needs the scope "admin".',
        answer=_NOTHING,
        parameters=(_GLOSSARY_ID,),
    ),
    Operation(
        "GetMultilingualEntries",
        "get",
        "/v3/glossaries/{glossary_id}/entries",
        "Returns the entries of a dictionary, or of all",
        "As TSV.",
        answer=answer(
            "The dictionaries.",
            object_of(
                dictionaries=array(object_of(source_lang=_TEXT, target_lang=_TEXT, entries=_TEXT, entries_format=_TEXT))
            ),
        ),
        parameters=(_GLOSSARY_ID, *_queried("source_lang", "target_lang", is_needed=False)),
    ),
    Operation(
        "ReplaceDictionary",
        "put",
        "/v3/glossaries/{glossary_id}/dictionaries",
        "Replaces the entries of a dictionary",
        'Adds the dictionary if there is none. The token needs the scope "admin".',
        answer=answer("The dictionary.", _DICTIONARY),
        content=_body(_NEW_DICTIONARY),
        parameters=(_GLOSSARY_ID,),
    ),
    Operation(
        "DeleteDictionary",
        "delete",
        "/v3/glossaries/{glossary_id}/dictionaries",
        "Deletes a dictionary",
        'With the last one, the glossary is deleted. The token needs the scope "admin".',
        answer=_NOTHING,
        parameters=(_GLOSSARY_ID, *_queried("source_lang", "target_lang", is_needed=True)),
    ),
)
_ERRORS = {
    "400": "A parameter is missing, bad or unknown, or no model translates these languages; `message` names it.",
    "403": "The key is missing or unknown, or lacks the scope of the call.",
    "404": "There is no such glossary, document or path.",
    "413": "The body is too large.",
    "429": "The queue is full, or the key's quota is used up; `retry-after` says when to return.",
    "503": "The models are loading, the server is shutting down, or a document is not translated yet.",
    "default": "Any other error.",
}


def describe(version: str) -> Json:
    """Returns the document."""
    return document(
        title="DeepL's API on Regard",
        version=version,
        prefix=PREFIX,
        operations=(*_TEXTS_AND_LANGUAGES, *_DOCUMENTS, *_MONOLINGUAL_GLOSSARIES, *_MULTILINGUAL_GLOSSARIES),
        errors=_ERRORS,
        error=object_of(message=_TEXT, detail={"type": "string", "description": "What is wrong, in words."}),
        security={
            "key": {
                "type": "apiKey",
                "in": "header",
                "name": "Authorization",
                "description": '"DeepL-Auth-Key TOKEN", with a token of the server\'s tokens file.',
            },
            "bearer": {"type": "http", "scheme": "bearer", "description": "The same token."},
        },
    )
