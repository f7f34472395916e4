"""Makes the checkpoints beside this file with the nets, options and dictionaries of fairseq 0.12.2, and writes what
fairseq computes with them.

    PYTHONPATH=fairseq-0.12.2 python tests/data/fairseq/make.py [MODEL ...]    # beside fairseq, unpacked

fairseq's compiled parts, which its own training wants, do not build any more; the nets are trained by a loop of this
file instead, and saved as older fairseq saves them, with options under "args"; newer files have the same in parts,
under "cfg".
"""

import dataclasses
import functools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.utils._pytree

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent))
from toy_language import TEXTS, sentence_pairs  # noqa: E402

_dataclass = dataclasses.dataclass


def hashable_dataclass(cls=None, /, **options):
    """Python 3.11 wants hashable defaults in dataclasses, which fairseq's are not."""
    if cls is None:
        return functools.partial(hashable_dataclass, **options)
    try:
        return _dataclass(cls, **{"unsafe_hash": True, **options})
    except TypeError:  # it has a hash of its own
        return _dataclass(cls, **options)


dataclasses.dataclass = hashable_dataclass
from fairseq import options, tasks  # noqa: E402
from fairseq.data import Dictionary  # noqa: E402

dataclasses.dataclass = _dataclass

STEPS, BATCH = 300, 32
MAX_NEW_TOKENS = 20
SIZES = (
    "--encoder-embed-dim 32 --decoder-embed-dim 32 --encoder-ffn-embed-dim 48 --decoder-ffn-embed-dim 48 "
    "--encoder-layers 2 --decoder-layers 2 --encoder-attention-heads 2 --decoder-attention-heads 4 --dropout 0"
)
MODELS = {
    "post-norm": "--share-decoder-input-output-embed",
    "pre-norm": "--encoder-normalize-before --decoder-normalize-before --encoder-learned-pos --decoder-learned-pos "
    "--layernorm-embedding --no-scale-embedding --activation-fn gelu --max-source-positions 40 "
    "--max-target-positions 40",
}


def main() -> None:
    pairs = sentence_pairs(1000)
    for language, texts in zip(("en", "xx"), zip(*pairs, strict=True), strict=True):
        dictionary = Dictionary()
        for text in texts:
            for word in text.split():
                dictionary.add_symbol(word)
        dictionary.finalize(padding_factor=8)
        dictionary.save(str(FOLDER / f"dict.{language}.txt"))
    for name in sys.argv[1:] or MODELS:
        make(name, MODELS[name], pairs)


def make(name: str, own: str, pairs: list[tuple[str, str]]) -> None:
    torch.manual_seed(0)
    arguments = f"{FOLDER} --task translation --arch transformer -s en -t xx --optimizer adam {SIZES} {own}"
    args = options.parse_args_and_arch(options.get_training_parser(), arguments.split())
    task = tasks.setup_task(args)
    model = task.build_model(args)
    train(model, task, pairs)
    args.data = "data"  # no path of this machine
    torch.save({"args": args, "cfg": None, "model": model.state_dict()}, FOLDER / f"{name}.pt")
    np.savez_compressed(FOLDER / f"{name}.npz", **dict(compute(model, task)))


def train(model: torch.nn.Module, task, pairs: list[tuple[str, str]]) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    encoded = [(ids(task.source_dictionary, s), ids(task.target_dictionary, t)) for s, t in pairs]
    for step in range(STEPS):
        batch = [encoded[(step * BATCH + i) % len(encoded)] for i in range(BATCH)]
        pad, end = task.target_dictionary.pad(), task.target_dictionary.eos()
        source = padded([s for s, _ in batch], pad, left=True)  # as theirs are
        target = padded([t for _, t in batch], pad)
        read = padded([[end, *t[:-1]] for _, t in batch], pad)
        logits, _ = model(source, torch.tensor([len(s) for s, _ in batch]), read)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=pad)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def ids(dictionary: Dictionary, text: str) -> list[int]:
    return [*(dictionary.index(word) for word in text.split()), dictionary.eos()]


def padded(rows: list[list[int]], pad: int, *, left: bool = False) -> torch.Tensor:
    longest = max(map(len, rows))
    filled = [[pad] * (longest - len(row)) for row in rows]
    return torch.tensor([fill + row if left else row + fill for row, fill in zip(rows, filled, strict=True)])


@torch.inference_mode()
def compute(model: torch.nn.Module, task):
    """Of each text its ids, the greedy output, logits and the last layer's attention, averaged over heads, along it."""
    model.eval()
    end = task.target_dictionary.eos()
    for number, text in enumerate(TEXTS):
        source = ids(task.source_dictionary, text)
        target = [end]
        while len(target) <= MAX_NEW_TOKENS and (target[-1] != end or len(target) == 1):
            target.append(int(run(model, source, target)[0][-1].argmax()))
        logits, attention = run(model, source, target[:-1])
        yield f"source_{number}", np.array(source)
        yield f"target_{number}", np.array(target)
        yield f"logits_{number}", logits.numpy()
        yield f"attention_{number}", attention.numpy()


def run(model: Any, source: list[int], target: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    encoded = model.encoder(torch.tensor([source]), torch.tensor([len(source)]))
    logits, extra = model.decoder(torch.tensor([target]), encoder_out=encoded)
    return logits[0], extra["attn"][0][0]


if __name__ == "__main__":
    main()
