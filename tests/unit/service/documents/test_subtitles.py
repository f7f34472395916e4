"""Subtitles: cue numbers, times, positions and styles stay; lines fit; a sentence over several cues stays one."""

import pysubs2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.documents.formats import open_document
from regard_service.documents.lines import Word, width_of
from regard_service.documents.subtitles import MIN_WIDTH, shared
from regard_service.errors import InvalidInput
from tests.unit.service.documents.translators import copied, shouted, texts, written

SRT = """\
\ufeff1
00:00:01,000 --> 00:00:03,000
<i>The door</i> is
open.

2
00:00:03,500 --> 00:00:05,000  X1:100 X2:200
- Come in, please.
- {\\an8}<b>No</b> & never.

3
00:00:06,500 --> 00:00:07,000
I think that she

4
00:00:07,100 --> 00:00:09,000
lives in a house by the sea.

5
00:00:10,000 --> 00:00:11,000
...

6
00:00:12,000 --> 00:00:13,000
She left.

He stayed.
"""
VTT = """\
WEBVTT - a film

NOTE
a note --> no cue
- of two lines

STYLE
::cue(i) { color: red }

intro
00:01.000 --> 00:02.500 align:start position:10%
<v Bob>Hello &amp; <i>welcome</i> all
of you

00:01:03.000 --> 00:01:04.000
<c.loud>Run!</c>
"""
ASS = """\
[Script Info]
; a comment
Title: A film

[V4+ Styles]
Format: Name, Fontname
Style: Default,Arial

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Comment: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,To be done
Dialogue: 0,0:00:01.00,0:00:02.00,Default,Bob,0,0,0,,{\\an8}Hello, {\\i1}my{\\i0} dear\\Nfriend.
Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,{\\p1}m 0 0 l 1 1{\\p0}
Dialogue: 0,0:00:05.00,0:00:06.00,Default,,0,0,0,,{\\k20}la {\\k30}la
"""


def test_the_case_of_the_shared_list() -> None:
    source = (
        "1\n00:00:01,000 --> 00:00:03,000\nThe door is open.\n\n2\n00:00:03,500 --> 00:00:05,000\nCome in, please.\n"
    )
    document = open_document(source.encode(), "srt")
    assert written(document, ["Die Tür ist offen.", "Komm bitte herein."]) == (
        "1\n00:00:01,000 --> 00:00:03,000\nDie Tür ist offen.\n\n2\n00:00:03,500 --> 00:00:05,000\nKomm bitte herein.\n"
    )


@pytest.mark.parametrize(("source", "kind"), [(SRT, "srt"), (VTT, "vtt"), (ASS, "ass")])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_copied_file_is_the_file(source: str, kind: str, line_end: str) -> None:
    data = source.replace("\n", line_end).encode()
    document = open_document(data, kind)
    assert document.units
    assert document.write(copied(document)).data == data


@pytest.mark.parametrize(("source", "kind"), [(SRT, "srt"), (VTT, "vtt"), (ASS, "ass")])
def test_another_reader_finds_the_same_cues_at_the_same_times(source: str, kind: str) -> None:
    document = open_document(source.encode(), kind)
    before = pysubs2.SSAFile.from_string(source.removeprefix("\ufeff"), format_=kind)
    after = pysubs2.SSAFile.from_string(
        document.write(shouted(document)).data.decode("utf-8-sig"), format_=kind, keep_unknown_html_tags=True
    )
    assert [(cue.start, cue.end, cue.style, cue.name, cue.type) for cue in after] == [
        (cue.start, cue.end, cue.style, cue.name, cue.type) for cue in before
    ]


def test_srt() -> None:
    document = open_document(SRT.encode(), "srt")
    assert texts(document) == [
        '<g id="1">The door</g> is open.',
        "Come in, please.",
        '<g id="3">No</g> &amp; never.',
        "I think that she lives in a house by the sea.",
        "She left. He stayed.",
    ]
    found = document.write(shouted(document)).data.decode()
    assert "1\n00:00:01,000 --> 00:00:03,000\n<i>THE DOOR</i>\nIS OPEN.\n\n2" in found
    assert "- COME IN, PLEASE.\n- {\\an8}<b>NO</b> & NEVER.\n" in found
    assert "I THINK THAT SHE\n\n4\n00:00:07,100 --> 00:00:09,000\nLIVES IN A HOUSE BY THE SEA.\n" in found
    assert "\n5\n00:00:10,000 --> 00:00:11,000\n...\n" in found


def test_vtt() -> None:
    document = open_document(VTT.encode(), "vtt")
    assert texts(document) == ['Hello &amp; <g id="3">welcome</g> all of you', "Run!"]
    found = written(document, ['Tom &amp; <g id="3">Anna</g> &lt;sagen&gt;', "Lauf!"])
    assert found == VTT.replace(
        "<v Bob>Hello &amp; <i>welcome</i> all\nof you", "<v Bob>Tom &amp; <i>Anna</i> &lt;sagen&gt;"
    ).replace("Run!", "Lauf!")


def test_ass() -> None:
    document = open_document(ASS.encode(), "ass")
    assert texts(document) == ['Hello, <g id="3">my</g> dear friend.']
    found = document.write(['Hallo, <g id="3">mein</g> {lieber} und sehr guter alter Freund aus der Stadt.'])
    line = "{\\an8}Hallo, {\\i1}mein{\\i0} (lieber) und sehr\\Nguter alter Freund aus der Stadt."
    assert found.data.decode() == ASS.replace("{\\an8}Hello, {\\i1}my{\\i0} dear\\Nfriend.", line)
    assert [fault.message for fault in found.faults] == [
        "dialogue 2 is a drawing or karaoke and stays as it is",
        "dialogue 3 is a drawing or karaoke and stays as it is",
    ]


def cue(text: str, number: int, start: str, end: str) -> str:
    return f"{number}\n00:00:{start} --> 00:00:{end}\n{text}\n\n"


@pytest.mark.parametrize(
    ("first", "second", "start", "is_joined"),
    [
        ("I think that she", "lives here.", "02,100", True),
        ("I think that she.", "lives here.", "02,100", False),
        ("I think that she", "Lives here.", "02,100", False),
        ("I think that she", "lives here.", "09,100", False),
        ("I think that she", "<i>lives</i> here.", "02,100", False),
        ("Wait...", "go on.", "02,100", False),
    ],
)
def test_which_cues_are_one_sentence(first: str, second: str, start: str, is_joined: bool) -> None:
    source = cue(first, 1, "01,000", "02,000") + cue(second, 2, start, "10,000")
    assert len(open_document(source.encode(), "srt").units) == (1 if is_joined else 2)


def test_long_lines_are_broken_evenly_and_short_ones_joined() -> None:
    source = cue("One two.\nThree four.", 1, "01,000", "02,000")
    long = "Das ist ein wirklich sehr langer Satz, der nicht in eine Zeile passt."
    found = written(open_document(source.encode(), "srt"), [long]).splitlines()
    assert found[2:4] == ["Das ist ein wirklich sehr langer", "Satz, der nicht in eine Zeile passt."]
    assert written(open_document(source.encode(), "srt"), ["Kurz."]).splitlines()[2] == "Kurz."


def test_a_cue_keeps_its_number_of_lines_unless_one_of_them_holds_all() -> None:
    source = cue("One two.\nThree four.", 1, "01,000", "02,000")
    for translation, lines in {
        "Eins und zwei, drei vier.": ["Eins und zwei,", "drei vier."],
        "Eins zwei.": ["Eins zwei."],
        "Siebenundzwanzig.": ["Siebenundzwanzig."],
    }.items():
        found = written(open_document(source.encode(), "srt"), [translation]).splitlines()
        assert found[2 : 2 + len(lines) + 1] == [*lines, ""]


def test_the_files_own_width_is_respected() -> None:
    wide = "x" * 60
    found = written(open_document(cue(wide, 1, "01,000", "02,000").encode(), "srt"), ["word " * 12])
    assert found.splitlines()[2] == ("word " * 12).strip()


def test_chinese_breaks_between_characters_and_not_before_a_full_stop() -> None:
    found = written(open_document(cue("Hello there.", 1, "01,000", "02,000").encode(), "srt"), ["我" * 30 + "。"])
    lines = found.splitlines()[2:4]
    assert "".join(lines) == "我" * 30 + "。"
    assert all(width_of(line) <= MIN_WIDTH and not line.startswith("。") for line in lines)


WORDS = st.lists(st.text("abcdef.,", min_size=1, max_size=9).map(lambda text: Word(text, len(text))), max_size=20)


@given(WORDS, st.lists(st.integers(1, 40), min_size=1, max_size=4))
def test_a_sentence_is_shared_out_in_order_and_no_cue_is_empty(words: list[Word], shares: list[int]) -> None:
    found = shared(words, shares)
    assert len(found) == len(shares)
    if len(words) < len(shares):
        assert all(list(each) == words for each in found)
    else:
        assert [word for each in found for word in each] == words
        assert all(found)


@given(st.text(st.sampled_from("a é語 .,-<>{}\\/iN&;\n1:0"), max_size=80))
def test_any_text_in_a_cue_comes_back(text: str) -> None:
    for source, kind in (
        (f"1\n00:00:01,000 --> 00:00:02,000\n{text}\n", "srt"),
        (f"WEBVTT\n\n00:01.000 --> 00:02.000\n{text}\n", "vtt"),
        (ASS + "Dialogue: 0,0:00:07.00,0:00:08.00,Default,,0,0,0,," + text.replace("\n", " ") + "\n", "ass"),
    ):
        document = open_document(source.encode(), kind)
        assert document.write(copied(document)).data == source.encode()


@pytest.mark.parametrize(
    ("data", "kind", "fault"),
    [
        (b"Hello.\n", "srt", "has no cues: no line reads 00:00:01,000 --> 00:00:02,000"),
        (b"1\n00:01.000 --> 00:02.000\nHi\n", "vtt", "is no WebVTT: its first line is not WEBVTT"),
        (b"[Script Info]\n", "ass", "has no events: no [Events] section with a Format line"),
    ],
)
def test_other_files_are_refused(data: bytes, kind: str, fault: str) -> None:
    with pytest.raises(InvalidInput) as error:
        open_document(data, kind)
    assert error.value.violations[0].description == fault


@pytest.mark.parametrize(
    "hostile", ["<" * 50_000, "{\\" * 30_000, "<i>" * 20_000 + "a" + "</b>" * 20_000, "- " * 30_000]
)
def test_hostile_cues_are_read_in_bounded_time(hostile: str) -> None:
    source = f"1\n00:00:01,000 --> 00:00:02,000\n{hostile}x\n"
    document = open_document(source.encode(), "srt")
    assert document.write(copied(document)).data == source.encode()
