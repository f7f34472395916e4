"""Requests to translate a file, and their events."""

import pytest

from regard.cli.documents import ENDINGS
from regard.v1 import regard_pb2 as pb
from regard.values.documents import read_document_event
from regard_service.convert.documents import read_document, write_document_event
from regard_service.convert.requests import RequestReader
from regard_service.documents.formats import FORMATS
from regard_service.domain.calls import GenerationOptions, TextOptions
from regard_service.domain.documents import DocumentFinished, DocumentProgress, DocumentStarted, DocumentWarning
from regard_service.errors import InvalidInput
from regard_service.validation.limits import CallLimits

READER = RequestReader(CallLimits(max_document_bytes=10, max_text_characters=7))


def test_every_field() -> None:
    request = pb.TranslateDocumentRequest(
        model="toy",
        document=b"Hello",
        source_language="en",
        target_language="de",
        media_type="text/plain; charset=latin-1",
        replaces_existing=True,
        generation=pb.GenerationConfig(num_beams=2),
        truncation=pb.TRUNCATION_TRUNCATE,
        priority=pb.PRIORITY_INTERACTIVE,
        text_options=pb.TextOptions(unit=pb.UNIT_SENTENCE, protected_patterns=["x+"]),
    )
    call = read_document(request, READER, None)
    assert (call.model, call.document, call.media_type) == ("toy", b"Hello", "text/plain; charset=latin-1")
    assert (call.source_language, call.target_language, call.truncation) == ("en", "de", "truncate")
    assert (call.is_bulk, call.replaces_existing, call.max_unit_characters) == (False, True, 7)
    assert call.generation == GenerationOptions(num_beams=2)
    assert call.text_options == TextOptions(unit="sentence", protected_patterns=("x+",))


def test_defaults() -> None:
    call = read_document(pb.TranslateDocumentRequest(document=b"a", file_name="x/a.PO"), READER, None)
    assert (call.media_type, call.is_bulk, call.replaces_existing) == ("text/x-gettext-translation", True, False)
    assert call.text_options == TextOptions()
    assert call.deadline is not None


def test_every_violation_is_listed() -> None:
    request = pb.TranslateDocumentRequest(
        document=b"12345678901",
        file_name="a.pdf",
        generation=pb.GenerationConfig(num_beams=99),
        text_options=pb.TextOptions(format=pb.FORMAT_HTML, raw=True, protected_spans=[pb.ProtectedSpan()]),
    )
    with pytest.raises(InvalidInput) as error:
        read_document(request, READER, None)
    endings = [ending for each in FORMATS for ending in each.endings]
    assert ".docx" in endings
    assert {violation.field: violation.description for violation in error.value.violations} == {
        "document": "has 11 bytes; the limit is 10",
        "media_type": f"is empty, and file_name 'a.pdf' has no known ending; there are {', '.join(endings)}",
        "generation.num_beams": "must be in [1, 16]; it is 99",
        "text_options.format": "is not for documents, which tell it themselves",
        "text_options.protected_spans": "is not for documents, which tell it themselves",
        "text_options.raw": "is not for documents, which tell it themselves",
    }


@pytest.mark.parametrize(
    ("request_", "field", "fault"),
    [
        (pb.TranslateDocumentRequest(document=b"a", media_type="x/y"), "media_type", "is 'x/y'; it must be one of "),
    ],
)
def test_bad_fields(request_: pb.TranslateDocumentRequest, field: str, fault: str) -> None:
    with pytest.raises(InvalidInput) as error:
        read_document(request_, READER, None)
    (violation,) = error.value.violations
    assert violation.field == field
    assert violation.description.startswith(fault)


def test_events_reach_the_client() -> None:
    warnings = (
        DocumentWarning("output_cut", "cut", 3, "line 7", "It"),
        DocumentWarning("document", "UTF-8 now"),
    )
    for event in (
        DocumentStarted(4, "text/plain", 40),
        DocumentProgress(2, 4),
        DocumentFinished(b"x", "text/plain", warnings, "toy", "2"),
    ):
        found = read_document_event(write_document_event(event))
        assert found is not None
        read = {key: value for key, value in vars(found).items() if key != "warnings"}
        expected = {key: value for key, value in event._asdict().items() if key not in ("warnings", "num_characters")}
        assert list(read.values()) == list(expected.values())
    assert found is not None
    assert [vars(each) for each in vars(found)["warnings"]] == [each._asdict() for each in warnings]


def test_the_command_line_knows_every_ending() -> None:
    assert sorted(ending for each in FORMATS for ending in each.endings) == sorted(ENDINGS)
