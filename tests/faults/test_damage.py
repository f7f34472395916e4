"""A bundle's files damaged at many random places: each is refused before a graph is read."""

import random
import shutil
from pathlib import Path

import pytest

from models.bundle import Bundle, BundleError, zoo_folder
from service.repository import Repository
from tests.toys import write_summarizer

NUM_PLACES = 24


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


def test_a_damaged_manifest_never_stops_the_server_from_starting(tmp_path: Path) -> None:
    """A manifest has no checksum: what is still one may be served, everything else is refused with a reason."""
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
