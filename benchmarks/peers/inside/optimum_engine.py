"""optimum: `generate` of transformers over ONNX Runtime, float32."""

import importlib.metadata
from collections.abc import Sequence
from pathlib import Path

import onnxruntime
import torch
import transformers
from optimum.onnxruntime import ORTModelForSeq2SeqLM, ORTModelForVision2Seq  # type: ignore[import-not-found]

from benchmarks.peers.inside.engine import Engine, Group, Outputs, serve
from benchmarks.peers.inside.transformers_engine import generate


class OptimumEngine(Engine):
    """Converts a checkpoint with optimum's own exporter when it is first opened.

    Args:
        folder: where the converted model is, or is put.
        checkpoint: what it is converted from.
    """

    def __init__(self, folder: str, checkpoint: str, num_threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads
        config = transformers.AutoConfig.from_pretrained(checkpoint)
        kind = ORTModelForVision2Seq if config.model_type == "vision-encoder-decoder" else ORTModelForSeq2SeqLM
        if not Path(folder).exists():
            kind.from_pretrained(checkpoint, export=True, use_merged=False).save_pretrained(folder)
        self._net = kind.from_pretrained(folder, session_options=options)
        torch.set_num_threads(num_threads)
        self.versions = {
            "optimum-onnx": importlib.metadata.version("optimum-onnx"),
            "transformers (optimum)": transformers.__version__,
            "onnxruntime (optimum)": onnxruntime.__version__,
        }
        self.setting = f"float32, {num_threads} threads"

    def run(self, groups: Sequence[Group], num_beams: int, one_by_one: bool) -> list[Outputs]:
        return [generate(self._net, group, num_beams) for group in groups]


if __name__ == "__main__":
    serve(OptimumEngine)
