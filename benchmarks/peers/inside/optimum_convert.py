"""A worker with optimum's exporter."""

from typing import Any

import transformers
from optimum.onnxruntime import ORTModelForSeq2SeqLM, ORTModelForVision2Seq

from benchmarks.peers.inside import lines


def kind_of(folder: str) -> Any:
    """optimum's class for a checkpoint."""
    config = transformers.AutoConfig.from_pretrained(folder)
    return ORTModelForVision2Seq if config.model_type == "vision-encoder-decoder" else ORTModelForSeq2SeqLM


def convert(source: str, folder: str) -> None:
    """Exports a checkpoint of `transformers`."""
    kind_of(source).from_pretrained(source, export=True, use_merged=False).save_pretrained(folder)


if __name__ == "__main__":
    lines.serve({"convert": convert})
