"""A program that serves an encoder on ONNX Runtime by LitServe, written as LitServe's documentation shows.

POST /predict  {"text": ...}  ->  {"vector": [...], "num_tokens": n}
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import litserve
import numpy as np
import onnxruntime
from tokenizers import Tokenizer


class EncoderApi(litserve.LitAPI):  # type: ignore[misc]  # has no types
    """The API of one inference process, which loads its own graph with one thread."""

    def __init__(self, folder: str, checkpoint: str, max_batch: int, delay_s: float) -> None:
        super().__init__(max_batch_size=max_batch, batch_timeout=delay_s)
        self._folder, self._checkpoint = folder, checkpoint

    def setup(self, device: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(Path(self._folder) / "int8.onnx"), options)
        self._tokenizer = Tokenizer.from_file(str(Path(self._checkpoint) / "tokenizer.json"))
        self._tokenizer.enable_padding()

    def decode_request(self, request: dict[str, Any]) -> str:
        return str(request["text"])

    def batch(self, inputs: Sequence[str]) -> list[str]:
        return list(inputs)

    def predict(self, batch: Sequence[str]) -> list[dict[str, Any]]:
        read = self._tokenizer.encode_batch(list(batch))
        ids, mask = (np.array([getattr(each, name) for each in read]) for name in ("ids", "attention_mask"))
        (states,) = self._session.run(None, {"input_ids": ids, "attention_mask": mask})
        sizes = mask.sum(axis=1)
        vectors = (states * mask[:, :, None]).sum(axis=1) / sizes[:, None]
        pairs = zip(vectors.tolist(), sizes.tolist(), strict=True)
        return [{"vector": vector, "num_tokens": size} for vector, size in pairs]

    def unbatch(self, output: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return output

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        return output


def main() -> None:
    """Serves with the arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--folder", "--checkpoint"):
        parser.add_argument(name, required=True)
    for name in ("--num-workers", "--max-batch", "--port"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--delay-s", type=float, required=True)
    given = parser.parse_args()
    api = EncoderApi(given.folder, given.checkpoint, given.max_batch, given.delay_s)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=given.num_workers)
    server.run(host="127.0.0.1", port=given.port, num_api_servers=1, log_level="warning", generate_client_file=False)


if __name__ == "__main__":
    main()
