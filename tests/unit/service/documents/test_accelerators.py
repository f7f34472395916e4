"""Marks of shortcuts: which labels have one, and where a translation gets it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.documents.accelerators import with_accelerator, without_accelerator
from regard_service.documents.formats import open_document
from tests.unit.service.documents.translators import texts


@pytest.mark.parametrize(
    ("label", "plain", "accelerator"),
    [
        ("_File", "File", "_F"),
        ("Save _As...", "Save As...", "_A"),
        ("E&xit", "Exit", "&x"),
        ("Save &As…", "Save As…", "&A"),
        ("~Edit", "Edit", "~E"),
        ("_Name:", "Name:", "_N"),
        ("&Über", "Über", "&Ü"),
    ],
)
def test_a_label_is_read_without_its_mark(label: str, plain: str, accelerator: str) -> None:
    assert without_accelerator(label) == (plain, accelerator)


@pytest.mark.parametrize(
    "text",
    [
        "R&D", "AT&T", "snake_case", "a & b", "&amp;", "Save &amp; quit", "_one _two", "__init__", "File", "~5 files",
        "The function _name is not there and nobody knows why.", "Use _name. Then stop", "%_d", "x~",
    ],
)  # fmt: skip
def test_other_marks_stay(text: str) -> None:
    assert without_accelerator(text) == (text, "")


@pytest.mark.parametrize(
    ("translation", "accelerator", "expected"),
    [
        ("Datei", "_F", "_Datei"),
        ("Speichern als...", "_A", "Speichern _als..."),
        ("Beenden", "&x", "&Beenden"),
        ("Exportar", "&x", "E&xportar"),
        ("%d Dateien", "_F", "%d _Dateien"),
        ("<b>Datei</b>", "_b", "<b>_Datei</b>"),
        ("文件", "_F", "_文件"),
        ("a_b", "_F", "a_b"),
        ("5", "_F", "5"),
        ("Datei", "", "Datei"),
    ],
)
def test_a_translation_gets_the_mark_before_a_letter(translation: str, accelerator: str, expected: str) -> None:
    assert with_accelerator(translation, accelerator) == expected


@given(st.text("_&~ab .(A;é", max_size=12))
def test_a_copied_label_has_its_mark_once(text: str) -> None:
    plain, accelerator = without_accelerator(text)
    if accelerator:
        found = with_accelerator(plain, accelerator)
        assert found.count(accelerator[0]) == 1
        assert found.replace(accelerator[0], "") == plain


def test_a_catalogue() -> None:
    document = open_document(b'msgid "Save _As..."\nmsgstr ""\n', "po")
    assert texts(document) == ["Save As..."]
    assert b'msgstr "Speichern _als..."' in document.write(["Speichern als..."]).data


def test_a_label_of_xliff() -> None:
    source = '<xliff version="2.0"><file><unit><segment><source>{}</source></segment></unit></file></xliff>'
    document = open_document(source.format("E&amp;xit").encode(), "xliff")
    assert texts(document) == ["Exit"]
    assert b"<target>&amp;Beenden</target>" in document.write(["Beenden"]).data
    tagged = open_document(source.format('E&amp;xit <ph id="1"/>x').encode(), "xliff")
    assert texts(tagged) == ['E&amp;xit <img id="2"/>x']
