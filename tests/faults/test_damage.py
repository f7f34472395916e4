"""Bundles with damage at many random places are refused before a graph is read."""

import json
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from regard_service.bundle import Bundle, BundleError, zoo_folder
from regard_service.repository.model_repository import ModelRepository
from tests.toys import write_summarizer

NUM_PLACES = 24


@pytest.fixture(scope="module")
def everyday(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that tests damage and restore."""
    return Path(shutil.copytree(zoo_folder() / "everyday", tmp_path_factory.mktemp("damaged") / "everyday"))


@contextmanager
def changed_byte(file: Path, place: int, change: int) -> Iterator[None]:
    """Changes one byte of a file in place: rewriting large weights each time would be slow."""
    with file.open("r+b", buffering=0) as stream:
        stream.seek(place)
        (byte,) = stream.read(1)
        stream.seek(place)
        stream.write(bytes([byte ^ change]))
        try:
            yield
        finally:
            stream.seek(place)
            stream.write(bytes([byte]))


@pytest.mark.parametrize("name", sorted(Bundle.load(zoo_folder() / "everyday").manifest.files))
def test_a_changed_byte_in_any_file_is_refused(everyday: Path, name: str) -> None:
    """Every file has a checksum, except for the manifest that contains them."""
    size = (everyday / name).stat().st_size
    rng = random.Random(7)
    for place in (0, size - 1, *(rng.randrange(size) for _ in range(NUM_PLACES))):
        with changed_byte(everyday / name, place, rng.randrange(1, 256)), pytest.raises(BundleError) as refused:
            Bundle.load(everyday)
        assert refused.value.reasons == [f"{name}: does not match its checksum"], place
    assert Bundle.load(everyday).manifest.name == "everyday"


def test_a_changed_byte_in_the_manifest_is_refused_or_means_the_same(tmp_path: Path) -> None:
    """Changes every single byte. White space, and 1e1 for 10, mean the same; all else is refused."""
    folder = write_summarizer(tmp_path / "toy").folder
    content = (folder / "manifest.json").read_bytes()
    rng, num_refused = random.Random(7), 0
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= rng.randrange(1, 256)
        (folder / "manifest.json").write_bytes(changed)
        try:
            Bundle.load(folder)
        except BundleError:
            num_refused += 1
        else:
            assert json.loads(changed) == json.loads(content), place
    assert num_refused > 0.7 * len(content)


def test_a_manifest_without_a_checksum_is_read(tmp_path: Path) -> None:
    """Bundles of earlier exporters have none."""
    folder = write_summarizer(tmp_path / "toy").folder
    fields = json.loads((folder / "manifest.json").read_text())
    del fields["checksum"]
    (folder / "manifest.json").write_text(json.dumps(fields))
    assert Bundle.load(folder).manifest.checksum is None


def test_a_damaged_manifest_never_stops_the_server_from_starting(tmp_path: Path) -> None:
    """A manifest that is valid and matches its checksum may be served; any other is refused with a reason."""
    folder = write_summarizer(tmp_path / "toy").folder
    content = (folder / "manifest.json").read_bytes()
    rng, states = random.Random(7), set()
    for _ in range(150):
        changed = bytearray(content)
        changed[rng.randrange(len(content))] ^= rng.randrange(1, 256)
        (folder / "manifest.json").write_bytes(changed)
        (info,) = ModelRepository([tmp_path]).infos()
        states.add(info.state)
        assert info.state == "ready" or info.reasons
    assert states <= {"ready", "failed"}
    assert "failed" in states
