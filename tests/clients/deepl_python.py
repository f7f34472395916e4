"""DeepL's library for Python, unmodified, against a server: prints what it got as JSON.

Arguments: the address of the door, the token of an administrator, that of a reader, and a folder.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import deepl
from deepl import http_client
from deepl.api_data import MultilingualGlossaryDictionaryEntries as Entries

ADDRESS, ADMIN, READER, FOLDER = *sys.argv[1:4], Path(sys.argv[4])


def error(call: Callable[[], object]) -> list[str]:
    """Returns the type and the words of the error that a call raises."""
    try:
        call()
    except Exception as raised:
        return [type(raised).__name__, str(raised)]
    return ["none", ""]


def texts(client: deepl.DeepLClient) -> dict[str, Any]:
    results = client.translate_text(["Where is the library?", "My sister sleeps."], target_lang="DE")
    page = client.translate_text("<p>Where is <b>the library</b>?</p>", target_lang="DE", tag_handling="html")
    ignored = client.translate_text(
        "Hello <x>green world</x> and <b>my sister</b> sleeps.",
        source_lang="EN",
        target_lang="DE",
        tag_handling="xml",
        ignore_tags=["x"],
        split_sentences=deepl.SplitSentences.NO_NEWLINES,
        preserve_formatting=True,
        formality=deepl.Formality.PREFER_MORE,
        context="of a family",
        model_type=deepl.ModelType.QUALITY_OPTIMIZED,
    )
    document = "<d><t>My house</t><c><par>Where is </par><par>the library?</par></c><raw>My sister sleeps.</raw></d>"
    outlined = client.translate_text(
        [document, "<d>Where is the library? <cut/>My sister sleeps.</d>"],
        source_lang="EN",
        target_lang="DE",
        tag_handling="xml",
        outline_detection=False,
        splitting_tags=["t", "cut", "c", "raw"],
        non_splitting_tags="par",
        ignore_tags=["raw"],
    )
    return {
        "outlined": [each.text for each in outlined],
        "texts": [[each.text, each.detected_source_lang, each.billed_characters] for each in results],
        "page": page.text,
        "ignored": [ignored.text, ignored.model_type_used],
        "source": [[each.code, each.name] for each in client.get_source_languages()],
        "target": [[each.code, each.name, each.supports_formality] for each in client.get_target_languages()],
        "pairs": [[each.source_lang, each.target_lang] for each in client.get_glossary_languages()],
    }


def glossaries(client: deepl.DeepLClient) -> dict[str, Any]:
    made = client.create_glossary("Tiere", "EN", "DE", {"dog": "Köter", "#1": "Nummer eins"})
    by_csv = client.create_glossary_from_csv("Csv", "EN", "DE", 'dog,"Köter",en,de\n')
    text = client.translate_text("The dog sleeps.", source_lang="EN", target_lang="DE", glossary=made).text
    found: dict[str, Any] = {
        "ready": [made.ready, made.name, made.entry_count, made.creation_time.tzinfo is not None],
        "text": text,
        "entries": client.get_glossary_entries(made),
        "names": sorted(each.name for each in client.list_glossaries()),
        "same": client.get_glossary(made.glossary_id).creation_time == made.creation_time,
    }
    for each in (made, by_csv):
        client.delete_glossary(each)
    found["gone"] = error(lambda: client.get_glossary(made.glossary_id))
    return found


def multilingual(client: deepl.DeepLClient) -> dict[str, Any]:
    dictionaries = [Entries("EN", "DE", {"dog": "Köter"}), Entries("EN", "FR", {"dog": "cabot"})]
    made = client.create_multilingual_glossary("Tiere", dictionaries)
    texts = [
        client.translate_text("The dog sleeps.", source_lang="EN", target_lang=target, glossary=made).text
        for target in ("DE", "FR")
    ]
    changed = client.update_multilingual_glossary_dictionary(made, Entries("EN", "FR", {"cat": "minou"}))
    replaced = client.replace_multilingual_glossary_dictionary(made, Entries("EN", "DE", {"cat": "Mieze"}))
    entries = client.get_multilingual_glossary_entries(made, "EN", "FR").dictionaries[0].entries
    client.delete_multilingual_glossary_dictionary(made, source_lang="EN", target_lang="FR")
    left = client.get_multilingual_glossary(made.glossary_id).dictionaries
    found = {
        "texts": texts,
        "counts": [each.entry_count for each in changed.dictionaries],
        "replaced": [replaced.source_lang, replaced.target_lang, replaced.entry_count],
        "renamed": client.update_multilingual_glossary_name(made, "Zoo").name,
        "entries": entries,
        "left": [[each.source_lang, each.target_lang] for each in left],
        "names": [each.name for each in client.list_multilingual_glossaries()],
    }
    client.delete_multilingual_glossary(made)
    return found


def documents(client: deepl.DeepLClient) -> dict[str, Any]:
    source, target = FOLDER / "house.md", FOLDER / "haus.md"
    source.write_text("# My house\n\nMy **sister** sleeps. `code`\n", encoding="utf-8")
    status = client.translate_document_from_filepath(source, target, source_lang="EN", target_lang="DE")
    return {
        "status": [status.status.value, status.billed_characters],
        "text": target.read_text(encoding="utf-8"),
        "format": error(lambda: client.translate_document_upload(b"x", filename="a.xyz", target_lang="DE")),
        "unknown": error(lambda: client.translate_document_get_status(deepl.DocumentHandle("A" * 32, "key"))),
    }


def errors(client: deepl.DeepLClient, reader: deepl.DeepLClient) -> dict[str, Any]:
    stranger = deepl.DeepLClient("unknown", server_url=ADDRESS)
    return {
        "key": error(lambda: stranger.translate_text("a", target_lang="DE")),
        "scope": error(lambda: reader.create_glossary("a", "EN", "DE", {"a": "b"})),
        "texts": error(lambda: client.translate_text(["a"] * 51, target_lang="DE")),
        "none": error(lambda: client.translate_text([], target_lang="DE")),
        "language": error(lambda: client.translate_text("a", target_lang="XX")),
        "formality": error(lambda: client.translate_text("a", target_lang="DE", formality="more")),
        "xml": error(lambda: client.translate_text("<a>", target_lang="DE", tag_handling="xml")),
        "glossary": error(lambda: client.translate_text("a", source_lang="EN", target_lang="DE", glossary="nothing")),
        "path": error(lambda: client.rephrase_text("a")),
    }


def main() -> None:
    http_client.max_network_retries = 0
    client, reader = (deepl.DeepLClient(key, server_url=ADDRESS) for key in (ADMIN, READER))
    found = {
        **texts(client),
        "glossary": glossaries(client),
        "multilingual": multilingual(client),
        "document": documents(client),
        "errors": errors(client, reader),
        "usage": [client.get_usage().character.count, reader.get_usage().character.count],
        "reached": client.get_usage().any_limit_reached,
    }
    json.dump(found, sys.stdout)


main()
