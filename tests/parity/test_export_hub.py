"""Published checkpoints from the hub; needs a network: `pytest -m hub`."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from regard_export.cli.commands import export_command
from regard_service.bundle import Bundle

pytestmark = [pytest.mark.hub, pytest.mark.timeout(1800)]

CHECKPOINTS = {
    "Helsinki-NLP/opus-mt-en-de": [],
    "Helsinki-NLP/opus-mt-en-ROMANCE": [],
    "google-t5/t5-small": ["--task", "translation", "--languages", "en-de"],
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_published_checkpoint_passes_every_gate(name: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(export_command, [name, "-o", str(tmp_path / "bundle"), *CHECKPOINTS[name]])
    assert result.exit_code == 0, result.output
    manifest = Bundle.load(tmp_path / "bundle").manifest
    assert manifest.verification["passed"]
    assert name in manifest.provenance.source
