"""Files of terms: lines between tabs, and term bases."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.domain.glossaries import GlossaryEntry
from regard_service.errors import InvalidInput
from regard_service.glossaries import tab_separated
from regard_service.glossaries.files import read_file

OLD_TBX = """<?xml version="1.0"?><martif type="TBX"><text><body>
<termEntry id="1">
  <langSet xml:lang="en"><tig><term>dog</term></tig><ntig><termGrp><term>hound</term></termGrp></ntig></langSet>
  <langSet xml:lang="de"><tig><term>Hund</term></tig><tig><term>Köter</term></tig></langSet>
</termEntry>
<termEntry id="2"><langSet xml:lang="en"><tig><term>cat</term></tig></langSet></termEntry>
</body></text></martif>"""
NEW_TBX = """<tbx xmlns="urn:iso:std:iso:30042:ed-2" style="dct"><text><body><conceptEntry>
<langSec xml:lang="en-US"><termSec><term>power
 supply</term></termSec></langSec><langSec xml:lang="de-DE"><termSec><term>Netzteil</term></termSec></langSec>
</conceptEntry></body></text></tbx>"""

phrases = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8)
entries = st.lists(st.builds(GlossaryEntry, phrases, phrases, st.booleans(), st.booleans()), max_size=5)


@given(entries)
def test_lines_that_are_written_are_read(written: list[GlossaryEntry]) -> None:
    assert list(tab_separated.read(tab_separated.write(written))) == written


def test_comments_empty_lines_and_marks_of_byte_order_are_no_terms() -> None:
    content = "\ufeff# terms\n\ndog\tHund\r\n cat \tKatze\tcase\n".encode()
    assert list(read_file(content, "", "en", "de")) == [
        GlossaryEntry("dog", "Hund"),
        GlossaryEntry("cat", "Katze", is_case_sensitive=True),
    ]


def test_term_bases_of_both_dialects() -> None:
    found = list(read_file(OLD_TBX.encode(), "tbx", "en", "de"))
    assert found == [GlossaryEntry("dog", "Hund"), GlossaryEntry("hound", "Hund")]
    assert list(read_file(NEW_TBX.encode(), "application/x-tbx", "en", "de")) == [
        GlossaryEntry("power supply", "Netzteil")
    ]


@pytest.mark.parametrize(
    ("content", "media_type", "fault"),
    [
        (b"dog\n", "tsv", "line 1: has 1 cells"),
        (b"dog\tHund\tCASE\n", "tsv", "line 1: 'CASE' is neither"),
        (b"a\tb\n\xff\tb\n", "tsv", "is not UTF-8, at byte 4"),
        (b"<tbx>", "tbx", "is not well-formed"),
        (OLD_TBX.replace('"de"', '"fr"').encode(), "tbx", "it has terms in en, fr"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', "tbx", "declares entities"),
        (b"", "csv", "there are tsv and tbx"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(content: bytes, media_type: str, fault: str) -> None:
    with pytest.raises(InvalidInput, match=fault):
        list(read_file(content, media_type, "en", "de"))
