"""A damaged or hostile bundle is refused with its reasons, and the other models keep serving."""

import shutil
from pathlib import Path

import pytest

import regard
from regard_service.app.settings import Settings
from regard_service.bundle import zoo_folder
from tests.integration.conftest import running


def test_the_other_models_keep_serving(tmp_path: Path) -> None:
    shutil.copytree(zoo_folder() / "everyday", tmp_path / "everyday")
    damaged = Path(shutil.copytree(zoo_folder() / "everyday", tmp_path / "damaged"))
    manifest = damaged / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"name": "everyday"', '"name": "damaged"'))
    weights = damaged / "int8" / "weights.bin"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)

    settings = Settings(grpc_port=0, http_port=0, model_directories=(tmp_path,))
    with running(settings) as server, regard.Client(f"127.0.0.1:{server.grpc_port}") as client:
        states = {model.name: (model.state, list(model.message.state_reasons)) for model in client.models()}
        assert states["everyday"] == ("ready", [])
        reasons = [f"{name}: does not match its checksum" for name in ("manifest.json", "int8/weights.bin")]
        assert states["damaged"] == ("failed", reasons)
        assert client.translate("Thank you.", to="de").text
        with pytest.raises(regard.Unavailable, match=r"damaged.*failed to load"):
            client.translate("Thank you.", to="de", model="damaged")
