"""DeepL's glossaries over the server's own."""

from pathlib import Path

import pytest

from regard_service.domain.glossaries import Glossary, GlossaryEntry
from regard_service.errors import GlossaryNotFound, InvalidInput, NotReady, Unsupported
from regard_service.glossaries.store import GlossaryStore
from regard_service.http.doors.deepl.catalogue import Catalogue, Dictionary

DOG, CAT = GlossaryEntry("dog", "Köter"), GlossaryEntry("cat", "Mieze")
GERMAN, FRENCH = Dictionary("en", "de", (DOG,)), Dictionary("en", "fr", (GlossaryEntry("dog", "cabot"),))


@pytest.fixture
def store(tmp_path: Path) -> GlossaryStore:
    return GlossaryStore(tmp_path / "glossaries")


@pytest.fixture
def catalogue(store: GlossaryStore) -> Catalogue:
    return Catalogue(store)


def languages(catalogue: Catalogue, glossary_id: str) -> list[str]:
    return [f"{each.source}-{each.target}" for each in catalogue.get(glossary_id).dictionaries]


def test_every_dictionary_is_a_glossary_of_the_server(catalogue: Catalogue, store: GlossaryStore) -> None:
    made = catalogue.create("Über: Tiere!", [GERMAN, FRENCH])
    assert made.id.startswith("ber-tiere-")
    assert store.names() == [made.id, f"{made.id}_en-fr"]
    assert store.get(made.id).entries == (DOG,)
    (read,) = Catalogue(store).all()
    assert read == made
    assert read.name == "Über: Tiere!"


def test_a_glossary_that_was_made_otherwise_is_there_too(catalogue: Catalogue, store: GlossaryStore) -> None:
    made = catalogue.create("zoo", [GERMAN])
    store.put(Glossary("medical", "en", "de", (CAT,)))
    assert [each.id for each in catalogue.all()] == [made.id, "medical"]
    assert catalogue.get("medical").name == "medical"
    assert catalogue.change("medical", "Medicine", [FRENCH], merges=True).name == "Medicine"
    assert languages(catalogue, "medical") == ["en-de", "en-fr"]
    store.delete("medical")
    assert languages(catalogue, "medical") == ["en-fr"]


def test_a_change_merges_or_replaces(catalogue: Catalogue) -> None:
    made = catalogue.create("zoo", [GERMAN])
    other = Dictionary("en", "de", (GlossaryEntry("dog", "Hund"), CAT))
    merged = catalogue.change(made.id, None, [Dictionary("EN-GB", "DE", (CAT,))], merges=True)
    assert merged.dictionaries[0].entries == (DOG, CAT)
    assert (merged.dictionaries[0].source, merged.name) == ("en", "zoo")
    assert catalogue.change(made.id, None, [other], merges=True).dictionaries[0].entries == other.entries
    assert catalogue.change(made.id, None, [GERMAN], merges=False).dictionaries[0].entries == (DOG,)
    assert catalogue.get(made.id).created == made.created


def test_the_last_dictionary_takes_the_glossary_with_it(catalogue: Catalogue, store: GlossaryStore) -> None:
    made = catalogue.create("zoo", [GERMAN, FRENCH])
    catalogue.delete_dictionary(made.id, "EN", "DE")
    assert languages(catalogue, made.id) == ["en-fr"]
    with pytest.raises(GlossaryNotFound, match="no dictionary EN to DE; it has en to fr"):
        catalogue.delete_dictionary(made.id, "EN", "DE")
    catalogue.delete_dictionary(made.id, "en", "fr")
    with pytest.raises(GlossaryNotFound):
        catalogue.get(made.id)
    assert store.folder is not None
    assert list(store.folder.iterdir()) == []


def test_a_new_glossary_is_kept_whole_or_not_at_all(catalogue: Catalogue, store: GlossaryStore) -> None:
    bad = Dictionary("en", "fr", (GlossaryEntry("a" * 201, "b"),))
    with pytest.raises(InvalidInput) as caught:
        catalogue.create("zoo", [GERMAN, bad])
    assert [each.field for each in caught.value.violations] == ["dictionaries[1].entries[0].source"]
    assert store.names() == []


@pytest.mark.parametrize("glossary_id", ["", "..", "../x", "a/b", "nothing", "x" * 65])
def test_an_unknown_id_is_not_found(catalogue: Catalogue, glossary_id: str) -> None:
    with pytest.raises(GlossaryNotFound):
        catalogue.get(glossary_id)


def test_a_record_that_cannot_be_read_is_named(catalogue: Catalogue, store: GlossaryStore) -> None:
    made = catalogue.create("zoo", [GERMAN])
    assert store.folder is not None
    (store.folder / f"{made.id}.deepl.json").write_text("{}")
    with pytest.raises(NotReady, match=made.id):
        catalogue.get(made.id)


def test_without_a_folder_there_are_none() -> None:
    catalogue = Catalogue(GlossaryStore(None))
    assert catalogue.all() == []
    with pytest.raises(GlossaryNotFound):
        catalogue.get("medical")
    with pytest.raises(Unsupported, match="glossary_directory"):
        catalogue.create("zoo", [GERMAN])
