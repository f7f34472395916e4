"""A worker with transformers: `generate` in float32, eager or compiled, with PyTorch's scaled dot-product attention."""

from collections.abc import Sequence
from typing import Any

import torch
import transformers

from benchmarks.peers.inside.engine import MAX_NEW_TOKENS, Engine, Group, Outputs, pixels, serve


class TransformersEngine(Engine):
    """Runs groups in sequence with `generate`."""

    def __init__(self, folder: str, num_threads: int, compiled: bool = False) -> None:
        torch.set_num_threads(num_threads)
        self._net = _net(folder)
        self._compiled = compiled
        if compiled:
            self._net.forward = torch.compile(self._net.forward, dynamic=True)
        self.versions = {"transformers": transformers.__version__, "torch": torch.__version__}
        self.setting = f"float32, {num_threads} threads, sdpa" + (", compiled" if compiled else "")

    @torch.inference_mode()
    def run(self, groups: Sequence[Group], num_beams: int, one_by_one: bool) -> list[Outputs]:
        return [self._generate(group, num_beams) for group in groups]

    def _generate(self, group: Group, num_beams: int) -> Outputs:
        return generate(self._net, group, num_beams)


def _net(folder: str) -> Any:
    config = transformers.AutoConfig.from_pretrained(folder)
    kind: Any = transformers.AutoModelForSeq2SeqLM
    if config.model_type == "vision-encoder-decoder":
        kind = transformers.VisionEncoderDecoderModel
    return kind.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa").eval()


def generate(net: Any, group: Group, num_beams: int) -> Outputs:
    """Calls `generate` for a group, padded to its longest source; removes special tokens."""
    length = group["new_tokens"]
    limit = length or MAX_NEW_TOKENS
    made = net.generate(**inputs(net, group["sources"]), num_beams=num_beams, do_sample=False, max_new_tokens=limit)
    return [stripped(net, output[1:].tolist(), length) for output in made]


def inputs(net: Any, sources: Sequence[Any]) -> dict[str, torch.Tensor]:
    """The net's inputs: pixels, or padded ids with their mask."""
    if isinstance(sources[0], int):
        return {"pixel_values": torch.stack([torch.from_numpy(pixels(seed)) for seed in sources])}
    longest, pad = max(map(len, sources)), net.config.pad_token_id
    ids = [[*source, *[pad] * (longest - len(source))] for source in sources]
    mask = [[1] * len(source) + [0] * (longest - len(source)) for source in sources]
    return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}


def stripped(net: Any, ids: list[int], length: int | None) -> list[int]:
    """Removes the end token and the padding after it."""
    if length:
        return ids[:length]
    end = net.generation_config.eos_token_id
    ends = end if isinstance(end, list) else [end]
    return ids[: next((at for at, number in enumerate(ids) if number in ends), len(ids))]


if __name__ == "__main__":
    serve(TransformersEngine)
