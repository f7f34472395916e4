"""DOCX: paragraphs, tables, headers, footers, notes and links; formatting stays, fields and pictures too."""

import io
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.documents.formats import open_document
from regard_service.documents.unit import DocumentOptions
from regard_service.errors import InvalidInput
from tests.unit.service.documents.translators import copied, shouted, texts

NAMESPACE = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml."
PARTS = {
    "document": "document.main",
    "header1": "header",
    "footnotes": "footnotes",
}
BOLD = "<w:rPr><w:b/></w:rPr>"


def run(text: str, properties: str = "") -> str:
    return f'<w:r w:rsidR="00A1">{properties}<w:t xml:space="preserve">{text}</w:t></w:r>'


def paragraph(*runs: str) -> str:
    return f'<w:p><w:pPr><w:jc w:val="left"/></w:pPr>{"".join(runs)}</w:p>'


def char(kind: str) -> str:
    return f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>'


def instruction(text: str) -> str:
    return f"<w:r><w:instrText>{text}</w:instrText></w:r>"


def docx(prefix: str = "w", **parts: str) -> bytes:
    """A file with these parts; each is the contents of its root."""
    overrides = "".join(
        f'<Override PartName="/word/{name}.xml" ContentType="{TYPE}{PARTS[name]}+xml"/>' for name in parts
    )
    types = f'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">{overrides}</Types>'
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", types)
        archive.writestr("word/media/image1.png", b"\x89PNG" * 100, zipfile.ZIP_STORED)
        for name, content in parts.items():
            xml = f'<?xml version="1.0" encoding="UTF-8"?>\n<w:root xmlns:w="{NAMESPACE}">{content}</w:root>'
            archive.writestr(f"word/{name}.xml", xml.replace("w:", f"{prefix}:").replace("xmlns:w", f"xmlns:{prefix}"))
    return output.getvalue()


def part(data: bytes, name: str = "document") -> str:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read(f"word/{name}.xml").decode()


PAGE = "".join(
    [
        paragraph(run("This is "), run("bold", BOLD), '<w:proofErr w:type="spellStart"/>', run(" te"), run("xt.")),
        paragraph(run("Name:"), "<w:r><w:tab/></w:r>", run("Value"), "<w:r><w:br/></w:r>", run("Next line")),
        paragraph('<w:hyperlink r:id="x">', run("a link", BOLD), "</w:hyperlink>", run(" is here.")).replace(
            "r:id", "w:id"
        ),
        paragraph(
            run("Page "),
            char("begin"),
            instruction(" PAGE "),
            char("separate"),
            run("12"),
            char("end"),
            run(" of the book."),
        ),
        paragraph(
            char("begin"),
            instruction(' HYPERLINK "u" '),
            char("separate"),
            run("the site"),
            char("end"),
            run(" is new."),
        ),
        paragraph(char("begin"), instruction(' TOC \\o "1-3" '), char("separate"), run("Chapter one")),
        paragraph(run("Chapter two"), char("end")),
        f"<w:tbl><w:tr><w:tc>{paragraph(run('Cell'))}</w:tc></w:tr></w:tbl>",
        paragraph(run("Deleted: "), f'<w:del w:id="1">{run("old").replace("w:t", "w:delText")}</w:del>', run("new.")),
        paragraph(
            run("Before "), f"<w:r><w:pict><w:txbxContent>{paragraph(run('in a box'))}</w:txbxContent></w:pict></w:r>"
        ),
        paragraph(run("Secret", "<w:rPr><w:vanish/></w:rPr>"), run("42")),
    ]
)


def test_a_copied_file_is_the_file() -> None:
    data = docx(document=PAGE, header1=paragraph(run("Head")), footnotes=paragraph(run("Foot")))
    document = open_document(data, "docx")
    assert document.write(copied(document)).data == data


def test_what_is_text() -> None:
    data = docx(document=PAGE, header1=paragraph(run("Head")), footnotes=paragraph(run("Foot")))
    document = open_document(data, "docx")
    assert texts(document) == [
        'This is <g id="2">bold</g> text.',
        "Name:",
        "Value",
        "Next line",
        *('<g id="1">a link</g> is here.', 'Page <img id="2"/> of the book.', '<g id="1">the site</g> is new.'),
        "Cell",
        'Deleted: <img id="2"/>new.',
        "Before",
        *("in a box", "Foot", "Head"),
    ]


def changed(translate: Callable[[str], str], *runs: str) -> str:
    document = open_document(docx(document=paragraph(*runs)), "docx")
    found = document.write([translate(text) for text in texts(document)])
    assert found.faults == ()
    return part(found.data).partition("</w:pPr>")[2].rpartition("</w:p>")[0]


def plain_run(text: str, properties: str = "") -> str:
    return run(text, properties).replace(' w:rsidR="00A1"', "")


def test_formatting_follows_its_words() -> None:
    found = changed(
        lambda _: '<g id="2">Fett</g> ist &lt;es&gt;.',
        run("This is "),
        run("bold", BOLD),
        run(" text.", "<w:rPr><w:lang/></w:rPr>"),
    )
    assert found == plain_run("Fett", BOLD) + plain_run(" ist &lt;es&gt;.")


def test_links_fields_and_bookmarks_are_kept_once() -> None:
    mark = '<w:bookmarkStart w:id="1"/>'
    field = [char("begin"), instruction(" PAGE "), char("separate"), run("12"), char("end")]
    found = changed(
        lambda _: 'Seite <img id="2"/> <img id="4"/>des <g id="6">Buchs</g>',
        run("Page "),
        *field,
        run(" "),
        mark,
        run("of "),
        "<w:hyperlink>",
        run("the book"),
        "</w:hyperlink>",
    )
    assert found == "".join(
        [
            plain_run("Seite "),
            *(each.replace(' w:rsidR="00A1"', "") for each in field),
            *(plain_run(" "), mark, plain_run("des "), "<w:hyperlink>", plain_run("Buchs"), "</w:hyperlink>"),
        ]
    )


def test_parts_between_tabs_are_texts_of_their_own() -> None:
    tab = "<w:r><w:tab/></w:r>"
    found = changed(lambda text: {"Name:": "Nom :", "Value": "Valeur"}[text], run(" Name: "), tab, run("Value"))
    assert found == plain_run(" ") + plain_run("Nom :") + plain_run(" ") + tab + plain_run("Valeur")


def test_other_prefixes_and_other_members_stay() -> None:
    data = docx("n", document=paragraph(run("Hello")), header1=paragraph(run("Head")))
    document = open_document(data, "docx")
    found = document.write(["Hallo", None]).data
    assert '<n:r><n:t xml:space="preserve">Hallo</n:t></n:r>' in part(found)
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(io.BytesIO(found)) as after:
        assert after.namelist() == before.namelist()
        assert [each.compress_type for each in after.infolist()] == [each.compress_type for each in before.infolist()]
        for name in after.namelist():
            assert (after.read(name) == before.read(name)) == (name != "word/document.xml")


TEXTS = st.sampled_from(["a", " b ", "é &amp; ", "", " ", "12"])
RUNS = st.one_of(
    st.builds(run, TEXTS, st.sampled_from(["", BOLD, "<w:rPr><w:i/></w:rPr>"])),
    st.sampled_from(["<w:r><w:tab/></w:r>", '<w:bookmarkEnd w:id="1"/>', char("begin"), char("separate"), char("end")]),
    st.sampled_from([instruction(" HYPERLINK x"), "<w:hyperlink>" + run("x y") + "</w:hyperlink>"]),
)


@given(st.lists(st.lists(RUNS, max_size=6), min_size=1, max_size=3))
def test_any_paragraphs_keep_their_text_and_codes(paragraphs: list[list[str]]) -> None:
    data = docx(document="".join(paragraph(*runs) for runs in paragraphs))
    document = open_document(data, "docx")
    assert document.write(copied(document)).data == data
    found = document.write(shouted(document))
    assert found.faults == ()
    before, after = part(data), part(found.data)
    for name in (
        "<w:tab/>",
        "<w:bookmarkEnd",
        "<w:fldChar",
        "<w:instrText",
        "<w:hyperlink>",
        "</w:hyperlink>",
        "<w:p>",
    ):
        assert before.count(name) == after.count(name)

    def text(xml: str) -> str:
        return "".join(piece.partition("</w:t>")[0] for piece in xml.split('<w:t xml:space="preserve">')[1:])

    assert text(after).lower() == text(before).lower()


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"hello", "is no DOCX: File is not a zip file"),
        (docx()[:40], "is no DOCX: File is not a zip file"),
        (docx(document="<w:p>"), "word/document.xml is not well-formed XML: "),
        (docx(document=paragraph(run("a" * 2_000_000))), "expands to "),
        (docx(document="<w:p>").replace(b"[Content_Types].xml", b"[Content_Typos].xml"), "is no DOCX: "),
    ],
    ids=["text", "cut", "xml", "bomb", "types"],  # a DOCX has the time of its making
)
def test_damaged_files_and_bombs_are_refused(data: bytes, fault: str) -> None:
    with pytest.raises(InvalidInput) as error:
        open_document(data, "docx", DocumentOptions(max_expanded_bytes=1_000_000))
    assert error.value.violations[0].description.startswith(fault)


def test_damage_of_what_is_copied_is_refused_before_anything_is_translated() -> None:
    data = docx(document=paragraph(run("Hello."))).replace(b"\x89PNG" * 100, b"\x89PNX" * 100)
    with pytest.raises(InvalidInput, match=r"is no DOCX: Bad CRC-32 for file 'word/media/image1\.png'"):
        open_document(data, "docx", DocumentOptions())


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_of_any_compression_is_refused(method: int) -> None:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", method) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>" * 100)
    data = bytearray(output.getvalue())
    for position in range(60, 80):  # behind the member's header
        data[position] ^= 0xFF
    with pytest.raises(InvalidInput, match="is no DOCX: "):
        open_document(bytes(data), "docx", DocumentOptions())


def test_a_member_that_lies_about_its_size_is_not_expanded() -> None:
    data = bytearray(docx(document=paragraph(run("a" * 3_000_000))))
    size = zipfile.ZipFile(io.BytesIO(bytes(data))).getinfo("word/document.xml").file_size
    for position in [i for i in range(len(data) - 4) if data[i : i + 4] == size.to_bytes(4, "little")]:
        data[position : position + 4] = (1000).to_bytes(4, "little")
    with pytest.raises(InvalidInput, match="is no DOCX: Bad CRC-32"):
        open_document(bytes(data), "docx", DocumentOptions(max_expanded_bytes=1_000_000))
