"""XLIFF 1.2 and 2: targets with the codes of their sources; all else stays to the byte."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.documents.formats import open_document
from regard_service.documents.unit import DocumentOptions
from regard_service.documents.xml_source import MAX_DEPTH, parsed
from regard_service.errors import InvalidInput
from tests.unit.service.documents.translators import copied, shouted, texts

FIRST = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE xliff PUBLIC "-//XLIFF//DTD XLIFF//EN" "http://www.oasis-open.org/committees/xliff/documents/xliff.dtd">
<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">
 <file original="a.html" source-language='en' datatype="html">
  <header><note>not text</note></header>
  <body>
   <trans-unit id="1">
    <source>Hello <g id="1">big <ph id="2">&lt;br/&gt;</ph>world</g> &amp; <bpt id="3">&lt;b&gt;</bpt>all<ept id="3">\
&lt;/b&gt;</ept>.</source>
    <note>greeting</note>
   </trans-unit>
   <trans-unit id="2"><source>Done</source><target state="final">Fertig</target></trans-unit>
   <trans-unit id="3"><source>Two. Three.</source><seg-source><mrk mtype="seg" mid="0">Two.</mrk> \
<mrk mtype="seg" mid="1">Three.</mrk></seg-source><target state="new">Two. Three.</target></trans-unit>
   <trans-unit id="4" translate="no"><source>No</source></trans-unit>
   <trans-unit id="5"><source>Keep <mrk mtype="protected">This</mrk> one<!-- here --></source><target/>\
<alt-trans><source>Old</source><target>Alt</target></alt-trans></trans-unit>
   <trans-unit id="6"><source>42 <x id="1"/></source></trans-unit>
  </body>
 </file>
</xliff>
"""
SECOND = """<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.0" srcLang="en"><file id="f">\
<unit id="u1"><originalData><data id="d1">x</data></originalData><segment id="s1"><source>A <pc id="1">bold</pc> \
<sc id="2"/>word<ec startRef="2"/> here<ph id="3"/>.</source></segment><ignorable><source> </source></ignorable>\
<segment state="final"><source>Second.</source><target>Zweitens.</target></segment>\
<segment state="initial"><source>Third.</source><target>Third.</target></segment></unit>\
<unit id="u2" translate="no"><segment><source>No</source></segment></unit></file></xliff>
"""
GERMAN = DocumentOptions(target_language="de")


@pytest.mark.parametrize("source", [FIRST, SECOND])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_without_translations_it_is_the_file(source: str, encoding: str) -> None:
    data = source.replace("UTF-8", encoding.removesuffix("-sig")).encode(encoding)
    document = open_document(data, "xliff", GERMAN)
    assert document.write([None] * len(document.units)).data == data


def test_first_version() -> None:
    document = open_document(FIRST.encode(), "xliff", GERMAN)
    assert texts(document) == [
        'Hello <g id="2">big <img id="4"/>world</g> &amp; <g id="8">all</g>.',
        "Two.",
        "Three.",
        'Keep <x id="2" translate="no">This</x> one',
    ]
    assert document.units[0][2:] == ("1", "greeting")
    found = document.write(
        [
            'Hallo <g id="2">große <img id="4"/>Welt</g> &amp; <g id="8">alle</g> &lt;.',
            "Zwei.",
            None,
            'Behalte <x id="2" translate="no">This</x> bitte',
        ]
    )
    machine = '<target state="needs-review-translation" state-qualifier="leveraged-mt">'
    assert found.faults == ()
    assert found.data.decode() == (
        FIRST.replace('datatype="html">', 'datatype="html" target-language="de">')
        .replace(
            "    <note>greeting",
            f'    {machine}Hallo <g id="1">große <ph id="2">&lt;br/&gt;</ph>Welt</g> &amp; <bpt id="3">&lt;b&gt;</bpt>'
            'alle<ept id="3">&lt;/b&gt;</ept> &lt;.</target>\n    <note>greeting',
        )
        .replace(
            '<target state="new">Two. Three.</target>',
            f'{machine}<mrk mtype="seg" mid="0">Zwei.</mrk> <mrk mtype="seg" mid="1">Three.</mrk></target>',
        )
        .replace("<target/>", f'{machine}Behalte <mrk mtype="protected">This</mrk> bitte<!-- here --></target>')
    )


def test_second_version() -> None:
    document = open_document(SECOND.encode(), "xliff", GERMAN)
    assert texts(document) == ['A <g id="2">bold</g> <g id="6">word</g> here<img id="10"/>.', "Third."]
    found = document.write(['Ein <g id="6">Wort</g>, <g id="2">fett</g>, hier<img id="10"/>.', "Drittens."])
    assert found.data.decode() == (
        SECOND.replace('srcLang="en"', 'srcLang="en" trgLang="de"')
        .replace('<segment id="s1">', '<segment id="s1" state="translated">')
        .replace(
            '<ph id="3"/>.</source>',
            '<ph id="3"/>.</source><target>Ein <sc id="2"/>Wort<ec startRef="2"/>, <pc id="1">fett</pc>, '
            'hier<ph id="3"/>.</target>',
        )
        .replace('state="initial"', 'state="translated"')
        .replace("<target>Third.", "<target>Drittens.")
    )


@pytest.mark.parametrize("source", [FIRST, SECOND])
def test_a_copied_file_has_its_sources_as_targets(source: str) -> None:
    document = open_document(source.encode(), "xliff", DocumentOptions(replaces_existing=True))
    root = ElementTree.fromstring(document.write(copied(document)).data)
    pairs = 0
    for unit in root.iter():
        found = [child for child in unit if child.tag.endswith(("}source", "}target"))]
        if len(found) == 2 and not unit.tag.endswith("alt-trans") and unit.get("id") != "3":
            pairs += 1
            assert ElementTree.tostring(found[0]).partition(b">")[2].replace(b"source", b"") == (
                ElementTree.tostring(found[1]).partition(b">")[2].replace(b"target", b"")
            )
    assert pairs >= 3


def test_existing_translations_are_replaced_if_asked() -> None:
    document = open_document(SECOND.encode(), "xliff", DocumentOptions(replaces_existing=True))
    assert texts(document)[1:] == ["Second.", "Third."]


@pytest.mark.parametrize(
    "translation", ["Hallo", 'Hallo <g id="2">a<img id="4"/></g>', "<g", '<!DOCTYPE a><g id="2"/>']
)
def test_a_translation_without_the_codes_leaves_no_target(translation: str) -> None:
    document = open_document(FIRST.encode(), "xliff")
    found = document.write([translation, None, None, None])
    assert found.data == FIRST.encode()
    assert found.faults[0].unit == 0


def test_a_file_for_another_language_is_refused() -> None:
    source = SECOND.replace('srcLang="en"', 'srcLang="en" trgLang="fr-CA"')
    with pytest.raises(InvalidInput, match="is to be translated into 'fr-CA'; the call asks for 'de'"):
        open_document(source.encode(), "xliff", GERMAN)
    open_document(source.encode(), "xliff", DocumentOptions(target_language="fr"))


BOMB = "<!DOCTYPE xliff [" + "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(9)) + "]>"


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("<xliff>", "is not well-formed XML: line 1, column 7: no element found"),
        ("<html/>", "is no XLIFF: its root is <html>"),
        (f"{BOMB}<xliff>&a9;</xliff>", "declares entities of its own, which are not expanded"),
        (
            '<!DOCTYPE xliff [<!ENTITY x SYSTEM "file:///etc/passwd">]><xliff>&x;</xliff>',
            "declares entities of its own, which are not expanded",
        ),
        (
            "<xliff>" + "<a>" * MAX_DEPTH + "</a>" * MAX_DEPTH + "</xliff>",
            f"is nested deeper than {MAX_DEPTH} elements",
        ),
        ("<xliff>" + "<a/>" * 400_000 + "</xliff>", "has more than 400000 elements"),
        ('<?xml version="1.0" encoding="klingon"?><xliff/>', "is in the encoding 'klingon', which is unknown"),
    ],
)
def test_hostile_and_other_files_are_refused(source: str, fault: str) -> None:
    with pytest.raises(InvalidInput) as error:
        open_document(source.encode(), "xliff")
    assert error.value.violations[0].description == fault


NAMES = st.sampled_from(["g", "ph", "mrk", "bpt", "ept", "x", "pc", "sc", "ec"])
CONTENT = st.recursive(
    st.sampled_from(["a b", "é &amp; 語", " ", "&#x41;", "<!-- c -->", "<![CDATA[<x>]]>", "\n"]),
    lambda inner: st.tuples(NAMES, st.integers(1, 3), st.lists(inner, max_size=3)).map(
        lambda found: f'<{found[0]} id="{found[1]}">{"".join(found[2])}</{found[0]}>'
    ),
    max_leaves=8,
)


@given(st.lists(CONTENT, max_size=5).map("".join))
def test_any_content_is_kept_and_its_target_has_the_same_codes(content: str) -> None:
    source = f'<xliff version="1.2"><file><trans-unit id="1"><source>{content}</source></trans-unit></file></xliff>'
    document = open_document(source.encode(), "xliff")
    found = document.write(shouted(document))
    assert found.faults == ()
    root = parsed(found.data.decode())
    source_codes, target_codes = (
        (
            [[code.name, *code.attributes.values()] for code in each.all()][1:]
            for each in root.all()
            if each.name in ("source", "target")
        )
        if document.units
        else ([], [])
    )
    assert sorted(source_codes) == sorted(target_codes)
    assert found.data.decode().count(f"<source>{content}</source>") == 1


def _message(content: str) -> str:
    file = '<file original="a" source-language="en" target-language="de" datatype="plaintext"><body>'
    unit = f'<trans-unit id="1"><source>{content}</source></trans-unit>'
    return f'<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">{file}{unit}</body></file></xliff>'


def test_the_branches_of_icu_messages_are_translated() -> None:
    message = "{n, plural, one {# file &amp; more} other {# files in {place}}}"
    document = open_document(_message(message).encode(), "xliff")
    assert [(unit.text, unit.id) for unit in document.units] == [
        ("{n} file & more", "1 one"),
        ("{n} files in {place}", "1 other"),
    ]
    found = document.write(["{n} Datei & mehr", "{n} Dateien in {place}"])
    expected = "{n, plural, one {# Datei &amp; mehr} other {# Dateien in {place}}}</target>"
    assert (expected in found.data.decode(), found.faults) == (True, ())


def test_a_branch_that_lacks_its_arguments_stays_and_is_said() -> None:
    document = open_document(_message("{n, plural, one {# file} other {# files in {place}}}").encode(), "xliff")
    found = document.write(["{n} Datei", "Dateien"])
    assert "{n, plural, one {# Datei} other {# files in {place}}}</target>" in found.data.decode()
    assert [fault.unit for fault in found.faults] == [1]


def test_a_message_without_words_is_no_text() -> None:
    assert texts(open_document(_message("{n, plural, one {1} other {2}}").encode(), "xliff")) == []
