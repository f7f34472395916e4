"""A program that serves CTranslate2 by LitServe, written as LitServe's documentation shows.

POST /predict  {"text": ..., "new_tokens": n}  ->  {"text": ..., "num_tokens": n}
"""

import argparse
from collections.abc import Sequence
from typing import Any

import litserve

from benchmarks.peers.inside.ctranslate2_translator import CTranslate2Translator


class TranslatorApi(litserve.LitAPI):  # type: ignore[misc]  # has no types
    """The API of one inference process, which loads its own model with one thread."""

    def __init__(self, folder: str, checkpoint: str, max_batch: int, delay_s: float) -> None:
        super().__init__(max_batch_size=max_batch, batch_timeout=delay_s)
        self._folder, self._checkpoint = folder, checkpoint

    def setup(self, device: str) -> None:
        self._translator = CTranslate2Translator(self._folder, self._checkpoint, "int8", num_workers=1, num_threads=1)

    def decode_request(self, request: dict[str, Any]) -> dict[str, Any]:
        return request

    def batch(self, inputs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        return list(inputs)

    def predict(self, batch: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        return self._translator.translate(batch)

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
    api = TranslatorApi(given.folder, given.checkpoint, given.max_batch, given.delay_s)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=given.num_workers)
    server.run(host="127.0.0.1", port=given.port, num_api_servers=1, log_level="warning", generate_client_file=False)


if __name__ == "__main__":
    main()
