"""DeepL's calls, and where the key stands: "Authorization: DeepL-Auth-Key TOKEN"."""

from regard_service.http.doors.deepl import documents, glossary_calls, texts
from regard_service.http.doors.deepl.described import PREFIX, describe
from regard_service.http.doors.deepl.refusals import refuse
from regard_service.http.doors.door import Door, DoorCall, bearer_token
from regard_service.http.doors.given import Given

_SCHEME = "deepl-auth-key "


def token(given: Given) -> str | None:
    """Returns the token of a request, also of a bearer; None without one."""
    stated = given.headers.get("authorization", "")
    if stated.lower().startswith(_SCHEME):
        return stated[len(_SCHEME) :].strip()
    return bearer_token(given)


_DOCUMENT = "/v2/document/{document_id}"
_TWO, _THREE = "/v2/glossaries", "/v3/glossaries"

DEEPL = Door(
    name="deepl",
    prefix=PREFIX,
    calls=(
        DoorCall("Translate", ("POST",), "/v2/translate", texts.read_texts, texts.translate),
        DoorCall("Languages", ("GET",), "/v2/languages", texts.read_language_type, texts.languages),
        DoorCall("Usage", ("GET",), "/v2/usage", glossary_calls.nothing, texts.usage),
        DoorCall("UploadDocument", ("POST",), "/v2/document", documents.read_upload, documents.upload),
        DoorCall("DocumentStatus", ("POST",), _DOCUMENT, documents.read_handle, documents.status),
        DoorCall("DownloadDocument", ("POST",), _DOCUMENT + "/result", documents.read_handle, documents.download),
        DoorCall(
            "GlossaryPairs",
            ("GET",),
            "/v2/glossary-language-pairs",
            glossary_calls.nothing,
            glossary_calls.glossary_pairs,
        ),
        DoorCall(
            "CreateGlossary",
            ("POST",),
            _TWO,
            glossary_calls.read_monolingual,
            glossary_calls.create_monolingual,
            "admin",
        ),
        DoorCall("ListGlossaries", ("GET",), _TWO, glossary_calls.nothing, glossary_calls.list_monolingual),
        DoorCall(
            "GetGlossary", ("GET",), _TWO + "/{glossary_id}", glossary_calls.glossary_id, glossary_calls.get_monolingual
        ),
        DoorCall(
            "GetEntries",
            ("GET",),
            _TWO + "/{glossary_id}/entries",
            glossary_calls.glossary_id,
            glossary_calls.monolingual_entries,
        ),
        DoorCall(
            "DeleteGlossary",
            ("DELETE",),
            _TWO + "/{glossary_id}",
            glossary_calls.glossary_id,
            glossary_calls.delete,
            "admin",
        ),
        DoorCall(
            "CreateMultilingual",
            ("POST",),
            _THREE,
            glossary_calls.read_multilingual,
            glossary_calls.create_multilingual,
            "admin",
        ),
        DoorCall("ListMultilingual", ("GET",), _THREE, glossary_calls.nothing, glossary_calls.list_multilingual),
        DoorCall(
            "GetMultilingual",
            ("GET",),
            _THREE + "/{glossary_id}",
            glossary_calls.glossary_id,
            glossary_calls.get_multilingual,
        ),
        DoorCall(
            "ChangeMultilingual",
            ("PATCH",),
            _THREE + "/{glossary_id}",
            glossary_calls.read_changes,
            glossary_calls.change,
            "admin",
        ),
        DoorCall(
            "DeleteMultilingual",
            ("DELETE",),
            _THREE + "/{glossary_id}",
            glossary_calls.glossary_id,
            glossary_calls.delete,
            "admin",
        ),
        DoorCall(
            "GetMultilingualEntries",
            ("GET",),
            _THREE + "/{glossary_id}/entries",
            glossary_calls.read_entries_pair,
            glossary_calls.entries,
        ),
        DoorCall(
            "ReplaceDictionary",
            ("PUT",),
            _THREE + "/{glossary_id}/dictionaries",
            glossary_calls.read_dictionary,
            glossary_calls.replace_dictionary,
            "admin",
        ),
        DoorCall(
            "DeleteDictionary",
            ("DELETE",),
            _THREE + "/{glossary_id}/dictionaries",
            glossary_calls.read_dictionary_pair,
            glossary_calls.delete_dictionary,
            "admin",
        ),
    ),
    refuse=refuse,
    describe=describe,
    token=token,
)
