"""Families of other distributions: the documented example, installed as pip would, and ones that do not work."""

import importlib
import json
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from regard_export.cli.commands import export_command, verify_command
from regard_export.errors import ExportError
from regard_export.families.installed import GROUP, family_named, installed_families
from regard_export.families.loading import load_options_of, load_source_model
from regard_service.bundle import Bundle
from tests.parity.families.exports import serving
from tests.unit.export.family_checkpoints import sentencepiece_model
from tests.unit.export.transformer_checkpoints import tiny_checkpoint

EXAMPLE = Path(__file__).parents[4] / "docs" / "examples" / "acme_family"
THEIRS = {
    "self_attention_sublayer.norm": "self/norm",
    "cross_attention_sublayer.norm": "cross/norm",
    "feed_forward_sublayer.norm": "ffn/norm",
    "self_attention": "self",
    "cross_attention": "cross",
    "feed_forward": "ffn",
    "_norm": "/norm",
}


def install(folder: Path, name: str, entries: dict[str, str]) -> None:
    """Writes the metadata that pip leaves beside the modules of a distribution."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{entry} = {value}" for entry, value in entries.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines, ""]))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed modules."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for name in [name for name, module in sys.modules.items() if str(folder) in str(getattr(module, "__file__", ""))]:
        del sys.modules[name]


@pytest.fixture
def acme(site: Path) -> Path:
    """The documented example, installed."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    install(site, project["name"], project["entry-points"][GROUP])
    (site / "acme_family.py").write_text((EXAMPLE / "acme_family.py").read_text())
    importlib.invalidate_caches()
    return site


def write_acme(folder: Path) -> Path:
    """A checkpoint with random weights, as Acme's trainer would write it."""
    pieces = sentencepiece_model("unigram", pad_id=3)
    folder.mkdir()
    (folder / "pieces.model").write_bytes(pieces)
    checkpoint = tiny_checkpoint()
    size = len(load_pieces(folder))
    sizes = {"width": 32, "heads": 4, "layers": 2, "inner": 48, "from": "en", "to": "de"}
    (folder / "acme.json").write_text(json.dumps(sizes))
    weights = {}
    for ours, tensor in checkpoint.weights.items():
        name = "table" if ours == "embedding.weight" else ours
        for part, theirs in THEIRS.items():
            name = name.replace(part, theirs)
        weights[name.replace(".", "/")] = tensor.numpy()[:size] if name == "table" else tensor.numpy()
    np.savez(folder / "acme.npz", **weights)  # type: ignore[arg-type]  # its stubs take a flag by keyword too
    return folder


def load_pieces(folder: Path) -> list[str]:
    from sentencepiece import SentencePieceProcessor

    processor = SentencePieceProcessor(str(folder / "pieces.model"))
    return [processor.id_to_piece(i) for i in range(processor.get_piece_size())]


def test_the_documented_example_the_whole_way(acme: Path, tmp_path: Path) -> None:
    checkpoint, out = write_acme(tmp_path / "checkpoint"), tmp_path / "bundles" / "acme"
    exported = CliRunner().invoke(export_command, [str(checkpoint), "-o", str(out), "--precision", "float32"])
    assert exported.exit_code == 0, exported.output
    bundle = Bundle.load(out)
    assert bundle.manifest.family == "acme"
    assert bundle.manifest.verification["passed"]
    assert load_options_of(bundle.manifest).languages == ()
    verified = CliRunner().invoke(verify_command, [str(out), "--source", str(checkpoint)])
    assert verified.exit_code == 0, verified.output
    with serving(tmp_path / "bundles") as client:
        result = client.translate("Where is the library?", "de", attention=True, max_new_tokens=8)
    assert result.model == "acme"
    assert result.best.tokens


def test_its_errors_name_the_file(acme: Path, tmp_path: Path) -> None:
    checkpoint = write_acme(tmp_path / "checkpoint")
    (checkpoint / "pieces.model").unlink()
    with pytest.raises(ExportError, match=r"lacks pieces\.model"):
        load_source_model(checkpoint)


def test_a_family_that_cannot_be_imported_is_named_and_others_stay(acme: Path, tmp_path: Path) -> None:
    install(acme, "regard-family-broken", {"aaa-broken": "no_such_module"})
    importlib.invalidate_caches()
    with pytest.warns(
        UserWarning, match="'aaa-broken' of regard-family-broken cannot be imported: ModuleNotFoundError"
    ):
        assert [family.name for family in installed_families()] == ["acme"]


def test_an_object_that_is_no_family_is_named(site: Path) -> None:
    install(site, "regard-family-odd", {"odd": "json"})
    importlib.invalidate_caches()
    with pytest.warns(UserWarning, match="json has no name, takes_languages, recognizes"):
        assert list(installed_families()) == []


def test_without_installed_families_none_is_found(site: Path) -> None:
    assert list(installed_families()) == []
    assert family_named("acme") is None


def test_a_family_that_returns_another_model_is_named(acme: Path, tmp_path: Path) -> None:
    checkpoint, module = write_acme(tmp_path / "checkpoint"), acme / "acme_family.py"
    module.write_text(module.read_text().replace("family=name,", 'family="other",'))
    with pytest.raises(ExportError, match="'acme' must return a SourceModel of its name; it is of family 'other'"):
        load_source_model(checkpoint)


def test_two_families_that_recognize_a_checkpoint_are_refused(acme: Path, tmp_path: Path) -> None:
    (acme / "twin_family.py").write_text("from acme_family import load, recognizes, takes_languages\nname = 'twin'\n")
    install(acme, "regard-family-twin", {"twin": "twin_family"})
    importlib.invalidate_caches()
    with pytest.raises(ExportError, match=r"several installed families recognize .*: acme, twin; uninstall"):
        load_source_model(write_acme(tmp_path / "checkpoint"))
