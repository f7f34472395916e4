"""The locks of what is installed: complete, of the tested versions, each file by its hash, nothing of this machine."""

import json
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement

from deploy.locks.check import OURS, pins, unlocked
from deploy.locks.write import BUILD, FOLDER, LOCKS, third_party
from tests.deploy.tools import ROOT

CONSTRAINTS = pins((ROOT / "constraints.txt").read_text())
ENTRY = re.compile(r"^([a-z0-9-]+)==(\S+)( ; .+?)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")


@pytest.mark.parametrize("name", LOCKS)
def test_each_line_is_a_version_or_a_hash(name: str) -> None:
    """No options: no index, no link, no folder."""
    lines = (FOLDER / f"{name}.txt").read_text().splitlines()
    kinds = ["entry" if ENTRY.match(line) else "hash" if HASH.match(line) else line for line in lines]
    assert set(kinds) == {"entry", "hash"}
    assert ("entry", "entry") not in set(pairwise(kinds)), "each has a hash"


@pytest.mark.parametrize("name", LOCKS)
def test_what_is_required_is_locked_in_the_tested_version(name: str) -> None:
    locked = pins((FOLDER / f"{name}.txt").read_text())
    required = {Requirement(each).name.lower().replace("_", "-") for each in third_party(name)} | {BUILD}
    assert required <= locked.keys()
    assert not OURS & locked.keys()
    different = {each: version for each, version in locked.items() if CONSTRAINTS.get(each, version) != version}
    assert different == {}


def test_the_locks_follow_the_projects() -> None:
    """A dependency that is added needs `python -m deploy.locks.write`."""
    for name in LOCKS:
        locked = pins((FOLDER / f"{name}.txt").read_text())
        for each in map(Requirement, third_party(name)):
            version = locked[each.name.lower().replace("_", "-")]
            assert each.specifier.contains(version, prereleases=True), f"{name}: {each}, {version}"
            assert each.marker is None or isinstance(each.marker, Marker)


def test_what_the_lock_does_not_name_is_found(tmp_path: Path) -> None:
    locked = pins((FOLDER / "serve.txt").read_text())
    good = {"name": "grpcio", "version": locked["grpcio"]}
    bill = {"components": [good, {"name": "grpcio", "version": "0.1"}, {"name": "stranger", "version": "1"}]}
    assert unlocked(bill, locked) == ["grpcio 0.1", "stranger 1"]
    file = tmp_path / "bill.json"
    for components, status in (([good], 0), (bill["components"], 1)):
        file.write_text(json.dumps({"components": components}))
        command = [sys.executable, "-m", "deploy.locks.check", str(file), str(FOLDER / "serve.txt")]
        assert subprocess.run(command, cwd=ROOT, check=False, capture_output=True).returncode == status
