"""TS files of Qt Linguist: messages get translations that stay unfinished; all else stays to the byte."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.documents.formats import open_document
from regard_service.documents.unit import DocumentOptions
from regard_service.errors import InvalidInput
from tests.unit.service.documents.translators import copied, texts

SOURCE = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1">
<context>
    <name>MainWindow</name>
    <message>
        <location filename="main.cpp" line="3"/>
        <source>&amp;File</source>
        <comment>a menu</comment>
        <translation type="unfinished"></translation>
    </message>
    <message numerus="yes">
        <source>%n file(s) of %1</source>
        <translation type="unfinished"><numerusform></numerusform><numerusform></numerusform></translation>
    </message>
    <message><source>Done</source><translation>Fertig</translation></message>
    <message><source>Old</source><translation type="vanished">Alt</translation></message>
    <message><source>&lt;b&gt;Red&lt;/b&gt; house</source><translation type="unfinished"/></message>
    <message id="last"><source>Quit</source></message>
    <message><source>bell <byte value="x7"/></source><translation type="unfinished"></translation></message>
    <message><source>42</source><translation type="unfinished"></translation></message>
</context>
</TS>
"""
GERMAN = DocumentOptions(target_language="de")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_without_translations_it_is_the_file(encoding: str) -> None:
    data = SOURCE.replace("utf-8", encoding.removesuffix("-sig")).encode(encoding)
    document = open_document(data, "ts", GERMAN)
    assert document.write([None] * len(document.units)).data == data


def test_messages_get_translations() -> None:
    document = open_document(SOURCE.encode(), "ts", GERMAN)
    assert texts(document) == ["File", "%n file(s) of %1", "<b>Red</b> house", "Quit"]
    assert document.units[0].context == "MainWindow; a menu"
    assert document.units[2].format == "html"
    found = document.write(["Datei", "%n Datei(en) von %1", "<b>Rotes</b> Haus", "Ende"])
    assert found.faults == ()
    form = "<numerusform>%n Datei(en) von %1</numerusform>"
    assert found.data.decode() == (
        SOURCE.replace('version="2.1"', 'version="2.1" language="de"')
        .replace(
            '"unfinished"></translation>\n    </message>', '"unfinished">&amp;Datei</translation>\n    </message>', 1
        )
        .replace("<numerusform></numerusform><numerusform></numerusform>", form * 2)
        .replace('"unfinished"/>', '"unfinished">&lt;b&gt;Rotes&lt;/b&gt; Haus</translation>')
        .replace("Quit</source>", 'Quit</source><translation type="unfinished">Ende</translation>')
    )


def test_existing_translations_are_replaced_if_asked() -> None:
    options = DocumentOptions(target_language="de", replaces_existing=True)
    document = open_document(SOURCE.encode(), "ts", options)
    assert "Done" in texts(document)
    assert "Old" not in texts(document)
    written = document.write(copied(document)).data.decode()
    assert '<source>Done</source><translation type="unfinished">Done</translation>' in written


def test_a_translation_without_its_place_markers_is_left_out() -> None:
    document = open_document(SOURCE.encode(), "ts", GERMAN)
    found = document.write([None, "Dateien von %1", None, None])
    assert [fault.unit for fault in found.faults] == [1]
    assert found.data.decode() == SOURCE.replace('version="2.1"', 'version="2.1" language="de"')


def test_languages_have_their_number_of_forms() -> None:
    source = '<TS><context><message numerus="yes"><source>%n dogs</source></message></context></TS>'
    for language, number in {"ja": 1, "de": 2, "pl": 3}.items():
        document = open_document(source.encode(), "ts", DocumentOptions(target_language=language))
        assert document.write(copied(document)).data.count(b"<numerusform>%n dogs</numerusform>") == number


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("export const a = 1;", "not well-formed"),
        ("<xliff/>", "its root is <xliff>"),
        ('<TS language="fr_FR"/>', "is to be translated into 'fr_FR'"),
        ('<!DOCTYPE TS [<!ENTITY a "b">]><TS/>', "declares entities"),
    ],
)
def test_other_files_are_refused(source: str, fault: str) -> None:
    with pytest.raises(InvalidInput, match=fault):
        open_document(source.encode(), "ts", GERMAN)


@given(st.text("ab &<>_~%1n\n", min_size=1, max_size=20))
def test_a_copied_message_is_its_own_translation(content: str) -> None:
    source = ElementTree.Element("TS")
    message = ElementTree.SubElement(ElementTree.SubElement(source, "context"), "message")
    ElementTree.SubElement(message, "source").text = content
    document = open_document(ElementTree.tostring(source), "ts", DocumentOptions())
    root = ElementTree.fromstring(document.write(copied(document)).data)
    found = root.findtext("context/message/translation")
    if document.units:  # a shortcut of a copied label may stand before another letter that is the same
        assert sorted(found or "") == sorted(content)
    else:
        assert found is None
