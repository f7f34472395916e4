"""A worker with CTranslate2's converter."""

import json
from pathlib import Path

import ctranslate2

from benchmarks.peers.inside import lines


def convert(source: str, folder: str, quantization: str) -> None:
    """Converts a checkpoint of `transformers`."""
    converter = ctranslate2.converters.TransformersConverter(source)
    converter.convert(folder, quantization=quantization, force=True)
    _keep_start(Path(source), Path(folder))


def _keep_start(source: Path, folder: Path) -> None:
    """Sets the checkpoint's start token, since the converter assumes that of the architecture."""
    start = json.loads((source / "config.json").read_text(encoding="utf-8")).get("decoder_start_token_id")
    file = folder / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    pieces = json.loads((folder / "shared_vocabulary.json").read_text(encoding="utf-8"))
    if start < len(pieces):  # the converter drops Marian's padding token, its start token, and uses zeros instead
        config["decoder_start_token"] = pieces[start]
        file.write_text(json.dumps(config, indent=2), encoding="utf-8")


if __name__ == "__main__":
    lines.serve({"convert": convert})
