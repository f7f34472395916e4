"""A bundle's files damaged at many random places: each is refused before a graph is read."""

import json
import random
import shutil
from pathlib import Path

import pytest

from models.bundle import Bundle, BundleError, zoo_folder
from service.repository import Repository
from tests.toys import write_summarizer

NUM_PLACES = 8


@pytest.mark.parametrize("name", sorted(Bundle.load(zoo_folder() / "everyday").manifest.files))
def test_a_byte_changed_anywhere_is_noticed(tmp_path: Path, name: str) -> None:
    """Everything but the manifest, which holds the checksums, has one."""
    folder = Path(shutil.copytree(zoo_folder() / "everyday", tmp_path / "everyday"))
    content = (folder / name).read_bytes()
    rng = random.Random(7)
    for place in (0, len(content) - 1, *(rng.randrange(len(content)) for _ in range(NUM_PLACES))):
        changed = bytearray(content)
        changed[place] ^= rng.randrange(1, 256)
        (folder / name).write_bytes(changed)
        with pytest.raises(BundleError) as refused:
            Bundle.load(folder)
        assert refused.value.reasons == [f"{name}: does not match its checksum"], place
    (folder / name).write_bytes(content)
    assert Bundle.load(folder).manifest.name == "everyday"


def test_a_byte_changed_in_the_manifest_is_noticed_or_means_the_same(tmp_path: Path) -> None:
    """Every single byte of it. White space, and 1e1 for 10, mean the same; all else is refused."""
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
    """What still is a manifest and matches its checksum may be served, everything else is refused with a reason."""
    folder = write_summarizer(tmp_path / "toy").folder
    content = (folder / "manifest.json").read_bytes()
    rng, states = random.Random(7), set()
    for _ in range(150):
        changed = bytearray(content)
        changed[rng.randrange(len(content))] ^= rng.randrange(1, 256)
        (folder / "manifest.json").write_bytes(changed)
        (info,) = Repository([tmp_path]).infos()
        states.add(info.state)
        assert info.state == "ready" or info.reasons
    assert states <= {"ready", "failed"}
    assert "failed" in states
