"""CTranslate2's own converter, in its environment."""

import json
from pathlib import Path

import ctranslate2

from benchmarks.peers.inside import lines


def convert(source: str, folder: str, quantization: str) -> None:
    """Converts a folder of `transformers`."""
    converter = ctranslate2.converters.TransformersConverter(source)
    converter.convert(folder, quantization=quantization, force=True)
    _keep_start(Path(source), Path(folder))


def _keep_start(source: Path, folder: Path) -> None:
    """Names the token that the checkpoint starts with, where the converter takes that of all models of its kind."""
    start = json.loads((source / "config.json").read_text(encoding="utf-8")).get("decoder_start_token_id")
    file = folder / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    pieces = json.loads((folder / "shared_vocabulary.json").read_text(encoding="utf-8"))
    if start < len(pieces):  # Marian's padding, with which it starts, is left out: there zeros stand for it
        config["decoder_start_token"] = pieces[start]
        file.write_text(json.dumps(config, indent=2), encoding="utf-8")


if __name__ == "__main__":
    lines.serve({"convert": convert})
