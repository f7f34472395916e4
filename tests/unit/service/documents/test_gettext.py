"""PO files: new translations are fuzzy, all else stays to the byte, and GNU gettext accepts the file."""

import shutil
import subprocess
from pathlib import Path

import polib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.documents.formats import open_document
from regard_service.documents.gettext_entries import read_entries
from regard_service.documents.plurals import forms_of_language, read_forms
from regard_service.documents.unit import DocumentOptions
from regard_service.errors import InvalidInput
from tests.unit.service.documents.translators import copied, shouted, texts

FILE = r"""# A file.
# Copyright
msgid ""
msgstr ""
"Project-Id-Version: x\n"
"Language: \n"
"MIME-Version: 1.0\n"
"Content-Type: text/plain; charset=UTF-8\n"
"Content-Transfer-Encoding: 8bit\n"

#. For the greeting.
#: a.py:1
#, python-format
#| msgid "Hullo"
msgctxt "menu"
msgid "Hello %(name)s, \"you\""
msgstr ""

msgid "Kept"
msgstr "Behalten"

#, fuzzy
msgid "Guessed"
msgstr "Geraten"

#, c-format
msgid "%d file"
msgid_plural "%d files"
msgstr[0] ""
msgstr[1] ""

msgid ""
"\n"
"First line\n"
"second <b>line</b>.\n"
msgstr ""

msgid "42"
msgstr ""

#~ msgid "Gone"
#~ msgstr "Weg"
"""


def check(data: bytes, tmp_path: Path) -> None:
    """GNU gettext accepts the file, fuzzy translations included."""
    program = shutil.which("msgfmt")
    if program is None:
        pytest.skip("needs msgfmt, of GNU gettext")
    file = tmp_path / "a.po"
    file.write_bytes(data)
    run = subprocess.run(
        [program, "--check", "--use-fuzzy", "-o", "/dev/null", str(file)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


def test_a_file(tmp_path: Path) -> None:
    document = open_document(FILE.encode(), "po", DocumentOptions(target_language="pt-BR"))
    assert [(unit.text, unit.format, unit.id, unit.context) for unit in document.units] == [
        ('Hello %(name)s, "you"', "plain", "line 11", "menu; For the greeting."),
        ("%d file", "plain", "line 26", ""),
        ("%d files", "plain", "line 26 plural", ""),
        ("First line\nsecond <b>line</b>.", "html", "line 32", ""),
    ]
    found = document.write(
        ['Olá %(name)s, "tu"', "%d ficheiro", "%d ficheiros", "Primeira linha\nsegunda <b>linha</b>."]
    )
    assert found.faults == ()
    expected = (
        FILE.replace('"Language: \\n"', '"Language: pt_BR\\n"')
        .replace('bit\\n"', 'bit\\n"\n"Plural-Forms: nplurals=2; plural=(n > 1);\\n"', 1)
        .replace("#, python-format", "#, fuzzy, python-format")
        .replace('"you\\""\nmsgstr ""', '"you\\""\nmsgstr "Olá %(name)s, \\"tu\\""')
        .replace("#, c-format", "#, fuzzy, c-format")
        # In Portuguese of Brazil 0 has the form of 1; both texts have the number.
        .replace('msgstr[0] ""\nmsgstr[1] ""', 'msgstr[0] "%d ficheiro"\nmsgstr[1] "%d ficheiros"')
        .replace('msgid ""\n"\\n"', '#, fuzzy\nmsgid ""\n"\\n"')
        .replace(
            'line</b>.\\n"\nmsgstr ""',
            'line</b>.\\n"\nmsgstr ""\n"\\n"\n"Primeira linha\\n"\n"segunda <b>linha</b>.\\n"',
        )
    )
    assert found.data.decode() == expected
    check(found.data, tmp_path)


def test_nothing_changes_without_translations() -> None:
    document = open_document(FILE.encode(), "po")
    assert document.write([None] * 4).data == FILE.encode()


def test_existing_translations_are_replaced_if_asked() -> None:
    document = open_document(FILE.encode(), "po", DocumentOptions(replaces_existing=True))
    assert "Kept" in texts(document)
    entries = polib.pofile(document.write(shouted(document)).data.decode())
    assert [(entry.msgstr, entry.fuzzy) for entry in entries if entry.msgid == "Kept"] == [("KEPT", True)]
    assert [entry.msgid for entry in entries.obsolete_entries()] == ["Gone"]


def test_a_translation_without_its_directive_is_left_out_and_said() -> None:
    document = open_document(FILE.encode(), "po")
    found = document.write(["Hallo %(nom)s", "eine Datei", "%d Dateien", None])
    entries = polib.pofile(found.data.decode())
    assert [entry.msgstr for entry in entries[:1]] == [""]
    assert [fault.unit for fault in found.faults] == [0, 1]
    assert entries[3].msgstr_plural == {0: "%d Dateien", 1: "%d Dateien"}


@pytest.mark.parametrize(
    ("language", "forms"),
    [
        ("ja", {0: "%d files"}),
        ("de", {0: "one file", 1: "%d files"}),
        # 21 has the form of 1: "one file" would be wrong.
        ("ru", {0: "%d files", 1: "%d files", 2: "%d files"}),
        ("ar", {0: "%d files", 1: "one file", 2: "%d files", 3: "%d files", 4: "%d files", 5: "%d files"}),
    ],
)
def test_plural_forms_of_a_template(language: str, forms: dict[int, str], tmp_path: Path) -> None:
    template = (
        '#, fuzzy\nmsgid ""\nmsgstr ""\n"Language: \\n"\n"Content-Type: text/plain; charset=CHARSET\\n"\n'
        '"Plural-Forms: nplurals=INTEGER; plural=EXPRESSION;\\n"\n\n#, c-format\nmsgid "one file"\n'
        'msgid_plural "%d files"\nmsgstr[0] ""\nmsgstr[1] ""\n'
    )
    document = open_document(template.encode(), "po", DocumentOptions(target_language=language))
    found = document.write(copied(document)).data
    assert polib.pofile(found.decode())[0].msgstr_plural == forms
    assert f"Plural-Forms: {forms_of_language(language)}".encode() in found
    assert b"charset=UTF-8" in found


@pytest.mark.parametrize(
    "language", "ar be cs cy de fr ga hr is ja lt lv mk pl pt pt-BR ro ru sk sl sr uk zh xx".split()
)
def test_every_plural_header_is_valid(language: str) -> None:
    assert read_forms(forms_of_language(language)) is not None


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nplurals=INTEGER; plural=EXPRESSION;",
        "nplurals=2; plural=n/0;",
        "nplurals=2; plural=n;",
        "nplurals=2; plural=__import__('os');",
        "nplurals=99999999999; plural=0;",
        "nplurals=2; plural=" + "(" * 400 + "n;",
    ],
)
def test_wrong_plural_headers_are_not_believed(header: str) -> None:
    assert read_forms(header) is None


def test_the_charset_of_the_header_is_read_and_written() -> None:
    source = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=ISO-8859-2\\n"\n\nmsgid "Żółw"\nmsgstr ""\n'
    document = open_document(source.encode("iso8859-2"), "po")
    assert texts(document) == ["Żółw"]
    assert document.write(["żółć"]).data == (
        source.replace('msgid "Żółw"\nmsgstr ""', '#, fuzzy\nmsgid "Żółw"\nmsgstr "żółć"').encode("iso8859-2")
    )
    widened = document.write(["черепаха"])
    assert "charset=UTF-8" in widened.data.decode()
    assert "the document is UTF-8 now" in widened.faults[0].message


def test_long_strings_are_broken_as_gettext_does() -> None:
    long = "word " * 40 + "\nend"
    document = open_document(b'msgid "a"\nmsgstr ""\n', "po")
    found = document.write([long]).data.decode()
    assert max(map(len, found.splitlines())) <= 80
    assert polib.pofile(found)[0].msgstr == long


STRINGS = st.text(st.sampled_from('ab "\\\n\t%é語'), min_size=1, max_size=120)


@given(st.lists(STRINGS, min_size=1, max_size=5, unique=True), STRINGS)
def test_another_reader_reads_what_was_written(messages: list[str], translation: str) -> None:
    """As polib writes and reads; white space at the edges is the message's own."""
    source = polib.POFile()
    source.metadata = {"Content-Type": "text/plain; charset=UTF-8"}
    source.extend(polib.POEntry(msgid=message) for message in messages)
    data = str(source).encode()
    document = open_document(data, "po")
    assert document.write([None] * len(document.units)).data == data
    found = polib.pofile(document.write([translation] * len(document.units)).data.decode())
    assert [entry.msgid for entry in found] == messages
    for entry in found:
        if entry.msgstr:
            assert entry.msgstr.strip() == translation.strip()
            assert entry.msgstr.endswith("\n") == entry.msgid.endswith("\n")


def test_a_file_in_another_language_is_refused() -> None:
    source = FILE.replace("Language: ", "Language: fr_CA")
    with pytest.raises(InvalidInput, match=r"has translations into 'fr' already; the call asks for 'de'"):
        open_document(source.encode(), "po", DocumentOptions(target_language="de"))
    open_document(source.encode(), "po", DocumentOptions(target_language="FR"))


@pytest.mark.parametrize("source", ["hello\n", 'msgid "a\nmsgstr ""\n', '"stray"\n', 'msgid "a" x\n', "msgid a\n"])
def test_what_is_no_po_file_is_refused_with_its_line(source: str) -> None:
    with pytest.raises(InvalidInput, match=r"^document: is no PO file: line 1 is "):
        open_document(source.encode(), "po")


def test_entries_without_blank_lines_between() -> None:
    entries = read_entries('msgid "a"\nmsgstr "b"\nmsgid "c"\nmsgstr "d"\n#: x\nmsgctxt "e"\nmsgid "f"\nmsgstr ""\n')
    assert [(each.id, each.strings, each.context) for each in entries] == [
        ("a", {0: "b"}, None),
        ("c", {0: "d"}, None),
        ("f", {0: ""}, "e"),
    ]


def test_a_large_file_is_written_in_time_in_proportion_to_it() -> None:
    """Counts what grows: the header and the width of the lines were looked up again for every entry."""
    source = "".join(f'msgid "a {number}"\nmsgstr ""\n\n' for number in range(20_000))
    document = open_document(source.encode(), "po")
    found = document.write(copied(document)).data.decode()
    assert found.count("#, fuzzy") == 20_000


ICU = "{n, plural, one {# file in {place}} other {# files, it''s {when, date}}} left"


def test_the_branches_of_icu_messages_are_translated() -> None:
    source = f'msgid "{ICU}"\nmsgstr ""\n'
    document = open_document(source.encode(), "po")
    assert [unit.text for unit in document.units] == [
        "{n} file in {place}",
        "{n} files, it's",
        "left",
    ]
    found = document.write(["{n} Datei in {place}", "{n} Dateien, heute", "übrig"])
    (entry,) = (each for each in polib.pofile(found.data.decode()) if each.msgid)
    assert entry.msgstr == "{n, plural, one {# Datei in {place}} other {# Dateien, heute {when, date}}} übrig"
    assert entry.fuzzy


def test_a_branch_that_lacks_its_arguments_stays_and_is_said() -> None:
    document = open_document(f'msgid "{ICU}"\nmsgstr ""\n'.encode(), "po")
    found = document.write(["Datei", None, "übrig"])
    (entry,) = (each for each in polib.pofile(found.data.decode()) if each.msgid)
    assert entry.msgstr == ICU.replace(" left", " übrig")
    assert [(fault.unit, fault.message) for fault in found.faults] == [
        (0, "left untranslated: the translation has not the arguments of the message")
    ]
