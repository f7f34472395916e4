"""The folder of glossaries."""

from dataclasses import replace
from pathlib import Path

import pytest

from regard_service.domain.glossaries import Glossary, GlossaryEntry
from regard_service.errors import GlossaryNotFound, InvalidInput, NotReady, Unsupported
from regard_service.glossaries.store import GlossaryStore

GLOSSARY = Glossary("animals", "en", "pt-BR", (GlossaryEntry("dog", "cachorro"), GlossaryEntry("#1", "n.º 1")))


def test_what_is_put_is_found_also_by_another_server(tmp_path: Path) -> None:
    store = GlossaryStore(tmp_path / "new")
    assert store.names() == []
    store.put(GLOSSARY)
    for each in (store, GlossaryStore(tmp_path / "new")):
        assert each.names() == ["animals"]
        assert each.get("animals") == GLOSSARY


def test_one_of_the_same_name_is_replaced_whatever_its_languages(tmp_path: Path) -> None:
    store = GlossaryStore(tmp_path)
    store.put(GLOSSARY)
    other = replace(GLOSSARY, target_language="de", entries=(GlossaryEntry("dog", "Hund"),))
    store.put(other)
    assert store.get("animals") == other
    assert len(list(tmp_path.iterdir())) == 1
    store.delete("animals")
    with pytest.raises(GlossaryNotFound):
        store.get("animals")


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "bad.en-de.tsv").write_text("dog\n")
    store = GlossaryStore(tmp_path)
    assert store.names() == ["bad"]
    with pytest.raises(NotReady, match=r"bad\.en-de\.tsv cannot be used: line 1"):
        store.get("bad")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "../x"}, "name"),
        ({"name": "a.b"}, "name"),
        ({"source_language": ""}, "source_language"),
        ({"target_language": "../de"}, "target_language"),
        ({"entries": ()}, "terms"),
        ({"entries": (GlossaryEntry("a", ""),)}, "terms[0].target"),
        ({"entries": (GlossaryEntry("a\tb", "x"),)}, "terms[0].source"),
        ({"entries": (GlossaryEntry("a", "x"), GlossaryEntry("A", "y"))}, "terms[1]"),
    ],
)
def test_bad_glossaries_are_refused_and_nothing_is_written(tmp_path: Path, changes: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        GlossaryStore(tmp_path).put(replace(GLOSSARY, **changes))  # type: ignore[arg-type]
    assert field in [violation.field for violation in caught.value.violations]
    assert list(tmp_path.iterdir()) == []


def test_without_a_folder_there_are_none() -> None:
    store = GlossaryStore(None)
    assert store.names() == []
    for change in (lambda: store.put(GLOSSARY), lambda: store.delete("animals")):
        with pytest.raises(Unsupported):
            change()
