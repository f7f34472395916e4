"""A family of another distribution: exported, verified and inspected as one of our own."""

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from regard_export.cli.commands import export_command, verify_command
from regard_export.families import installed
from regard_service.bundle import Bundle
from tests.unit.export.transformer_checkpoints import tiny_checkpoint

FAMILY = "acme-transformer"
LOADER = f"""
from dataclasses import replace

from regard_export.families.regard_checkpoints import transformer
from regard_models.checkpoint import Checkpoint


def load(folder, load_options):
    checkpoint = Checkpoint.load(folder)
    config = {{**checkpoint.config, "family": transformer.FAMILY}}
    return replace(transformer.from_checkpoint(replace(checkpoint, config=config)), family="{FAMILY}")


def load_another(folder, load_options):
    return replace(load(folder, load_options), family="another")


def load_nothing(folder, load_options):
    return None
"""


@pytest.fixture(autouse=True)
def _few_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regard_export.verification.workload.MAX_SOURCES", 2)
    monkeypatch.setattr("regard_export.verification.workload.MAX_NEW_TOKENS", 4)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    tiny_checkpoint().save(folder)
    config = folder / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "family": FAMILY}))
    return folder


def install(site: Path, loader: str, name: str = "acme-regard") -> None:
    """Puts a distribution into a folder, as an installer does."""
    information = site / f"{name.replace('-', '_')}-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[{installed.GROUP}]\n{FAMILY} = {loader}\n")
    (site / "acme_regard.py").write_text(LOADER)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "acme_regard", raising=False)
    return folder


def _export(checkpoint: Path, *options: str) -> Result:
    return CliRunner().invoke(export_command, [str(checkpoint), "-o", str(checkpoint.with_name("bundle")), *options])


def test_a_family_of_another_distribution_is_exported_and_verified(checkpoint: Path, site: Path) -> None:
    install(site, "acme_regard:load")
    done = _export(checkpoint, "--precision", "float32")
    assert done.exit_code == 0, done.output
    bundle = checkpoint.with_name("bundle")
    assert Bundle.load(bundle).manifest.family == FAMILY
    done = CliRunner().invoke(verify_command, [str(bundle), "--source", str(checkpoint)])
    assert done.exit_code == 0, done.output


def test_without_the_distribution_the_family_is_unknown(checkpoint: Path, site: Path) -> None:
    done = _export(checkpoint)
    assert (done.exit_code, f"unknown architecture '{FAMILY}'" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("loader", "reason"),
    [
        ("acme_regard:missing", "acme-regard 1.0 cannot be imported, acme_regard:missing"),
        ("no_module:load", "No module named 'no_module'"),
        ("acme_regard:load_another", f"must return a SourceModel of family {FAMILY}, not family another"),
        ("acme_regard:load_nothing", f"must return a SourceModel of family {FAMILY}, not NoneType"),
    ],
)
def test_a_loader_that_does_not_do_its_part_is_named(checkpoint: Path, site: Path, loader: str, reason: str) -> None:
    install(site, loader)
    done = _export(checkpoint)
    assert (done.exit_code, reason in done.stderr) == (1, True)


def test_two_distributions_of_one_family_are_refused(checkpoint: Path, site: Path) -> None:
    install(site, "acme_regard:load")
    install(site, "acme_regard:load", "other-regard")
    done = _export(checkpoint)
    assert done.exit_code == 1
    assert f"several distributions bring family {FAMILY}: acme-regard 1.0, other-regard 1.0" in done.stderr


def test_the_list_of_known_families_names_those_that_are_installed(checkpoint: Path, site: Path) -> None:
    install(site, "acme_regard:load")
    config = checkpoint / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "family": "nope"}))
    done = _export(checkpoint)
    assert (done.exit_code, FAMILY in done.stderr) == (1, True)
