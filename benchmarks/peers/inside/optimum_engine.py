"""A worker with optimum: `generate` of transformers on ONNX Runtime, in float32."""

import importlib.metadata
from collections.abc import Sequence

import onnxruntime
import torch
import transformers

from benchmarks.peers.inside.engine import Engine, Group, Outputs, serve
from benchmarks.peers.inside.optimum_convert import kind_of
from benchmarks.peers.inside.transformers_engine import generate


class OptimumEngine(Engine):
    """Runs groups in sequence.

    Args:
        folder: output of its exporter.
    """

    def __init__(self, folder: str, num_threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads
        self._net = kind_of(folder).from_pretrained(folder, session_options=options)
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
