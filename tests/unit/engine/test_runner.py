from pathlib import Path

from export.families import regard
from service.engine.runner import Runner
from tests.unit.export.checkpoints import tiny_checkpoint, write_tiny_bundle


def test_eight_bit_products_never_overflow(tmp_path: Path) -> None:
    """CPUs without VNNI add up pairs of 8-bit products in 16 bits, unless sessions are told not to."""
    bundle = write_tiny_bundle(tmp_path / "tiny", regard.from_checkpoint(tiny_checkpoint()), "int8")
    runner = Runner(bundle, bundle.manifest.variants[0])
    for session in (runner._encode, runner._step):
        assert session.get_session_options().get_session_config_entry("session.x64quantprecision") == "1"
