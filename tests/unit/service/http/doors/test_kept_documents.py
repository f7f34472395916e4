"""Files that are kept until they are fetched: who finds them, and how many there may be."""

from dataclasses import replace
from pathlib import Path

import pytest

from regard_service.errors import DocumentNotFound, QuotaExceeded
from regard_service.http.doors import kept_documents
from regard_service.http.doors.kept_documents import EXPIRY_S, KeptDocuments

MAX_RUNNING_S = 600.0


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kept(tmp_path: Path, clock: Clock) -> KeptDocuments:
    return KeptDocuments(tmp_path / "documents", 100, MAX_RUNNING_S, clock)


def files(folder: Path) -> set[str]:
    return {path.suffix for path in folder.iterdir()}


def test_a_file_is_found_by_its_key_in_every_process(kept: KeptDocuments, tmp_path: Path, clock: Clock) -> None:
    document, key = kept.add("web", "a.txt", 10)
    kept.finish(replace(document, num_characters=3), b"content")
    other = KeptDocuments(tmp_path / "documents", 100, MAX_RUNNING_S, clock)
    found = other.find(document.id, key)
    assert (found.state, found.num_characters, found.size) == ("done", 3, 7)
    assert other.fetch(found) == b"content"
    assert kept.find(document.id, key).is_fetched


@pytest.mark.parametrize("document_id", ["", "../x", "0" * 32, "a" * 32])
def test_an_unknown_file_is_not_found(kept: KeptDocuments, document_id: str) -> None:
    with pytest.raises(DocumentNotFound):
        kept.find(document_id, "key")


def test_the_key_of_another_file_opens_none(kept: KeptDocuments) -> None:
    document, _ = kept.add("web", "a.txt", 10)
    _, other_key = kept.add("web", "b.txt", 10)
    with pytest.raises(DocumentNotFound):
        kept.find(document.id, other_key)


def test_the_bytes_of_all_are_bounded(kept: KeptDocuments) -> None:
    document, _ = kept.add("a", "a.txt", 60)
    with pytest.raises(QuotaExceeded, match="1 documents of 60 bytes wait to be downloaded"):
        kept.add("b", "b.txt", 60)
    kept.finish(document, b"short")
    kept.add("b", "b.txt", 60)


def test_the_files_of_a_caller_are_bounded(kept: KeptDocuments, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_documents, "MAX_PER_CALLER", 2)
    for _ in range(2):
        kept.add("a", "a.txt", 1)
    with pytest.raises(QuotaExceeded, match="2 documents of yours"):
        kept.add("a", "a.txt", 1)
    kept.add("b", "b.txt", 1)


def test_what_was_fetched_makes_room_longest_ago_first(
    kept: KeptDocuments, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_documents, "MAX_PER_CALLER", 2)
    handles = [kept.add("a", "a.txt", 1) for _ in range(2)]
    for document, _ in handles:
        kept.finish(document, b"x")
        clock.now += 1
    for document, key in handles:
        kept.fetch(kept.find(document.id, key))
        clock.now += 1
    kept.add("a", "c.txt", 1)
    with pytest.raises(DocumentNotFound):
        kept.find(handles[0][0].id, handles[0][1])
    kept.find(handles[1][0].id, handles[1][1])


def test_files_expire(kept: KeptDocuments, clock: Clock, tmp_path: Path) -> None:
    document, key = kept.add("a", "a.txt", 90)
    kept.finish(document, b"x" * 90)
    clock.now += EXPIRY_S + 1
    with pytest.raises(DocumentNotFound, match="may have expired"):
        kept.find(document.id, key)
    kept.add("a", "b.txt", 90)
    assert files(tmp_path / "documents") == {".json"}


def test_a_translation_whose_process_ended_has_failed(kept: KeptDocuments, clock: Clock) -> None:
    document, key = kept.add("a", "a.txt", 1)
    clock.now += MAX_RUNNING_S + 1
    found = kept.find(document.id, key)
    assert (found.state, found.fault) == ("error", "the server's process ended before the translation did")


def test_a_temporary_folder_goes_with_the_server() -> None:
    kept = KeptDocuments(None, 100, MAX_RUNNING_S)
    document, key = kept.add("a", "a.txt", 1)
    assert kept.find(document.id, key).id == document.id
    kept.close()
    with pytest.raises(DocumentNotFound):
        kept.find(document.id, key)
    kept.close()


def test_the_time_left_follows_from_the_texts_so_far(kept: KeptDocuments) -> None:
    document, _ = kept.add("a", "a.txt", 1)
    assert document.seconds_left == 1
    assert replace(document, num_done=10, num_units=40, seconds=5.0).seconds_left == 15
