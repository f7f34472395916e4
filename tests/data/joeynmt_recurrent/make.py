"""Makes the checkpoints beside this file with JoeyNMT 2.3.0's own code, and what JoeyNMT computes with them.

    python tests/data/joeynmt_recurrent/make.py    # in an environment with `joeynmt`, which this project does not need

The weights are random; the pieces are those of ../joeynmt.
"""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import sentencepiece
import torch
import yaml
from joeynmt.model import build_model
from joeynmt.search import greedy
from joeynmt.vocabulary import Vocabulary

FOLDER = Path(__file__).parent
PIECES = FOLDER.parent / "joeynmt" / "sp.model"
SPECIAL = {"unk_token": "<unk>", "pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}
IDS = {"unk_id": 0, "pad_id": 1, "bos_id": 2, "eos_id": 3}
EMBEDDINGS = {"embedding_dim": 16, "scale": False}
SIDE = {"type": "recurrent", "dropout": 0.0, "embeddings": EMBEDDINGS}
MODELS = {
    "gru-bahdanau": {
        "encoder": {**SIDE, "rnn_type": "gru", "hidden_size": 16, "num_layers": 1, "bidirectional": True},
        "decoder": {**SIDE, "rnn_type": "gru", "hidden_size": 32, "num_layers": 1, "attention": "bahdanau",
                    "init_hidden": "bridge", "input_feeding": True, "hidden_dropout": 0.0},
    },
    "lstm-luong": {
        "encoder": {**SIDE, "rnn_type": "lstm", "hidden_size": 16, "num_layers": 2, "bidirectional": True},
        "decoder": {**SIDE, "rnn_type": "lstm", "hidden_size": 32, "num_layers": 2, "attention": "luong",
                    "init_hidden": "last", "input_feeding": True, "hidden_dropout": 0.0},
    },
}  # fmt: skip
TEXTS = ("Thank you!", "I have never been to the sea.")


def main() -> None:
    pieces = sentencepiece.SentencePieceProcessor(str(PIECES))
    tokens = [pieces.id_to_piece(i) for i in range(3, pieces.get_piece_size())]
    special = SimpleNamespace(**SPECIAL, **IDS, lang_tags=[], sep_token=None)
    vocabularies = [Vocabulary(tokens, special), Vocabulary(tokens[:-5], special)]
    for name, config in MODELS.items():
        make(FOLDER / name, {**config, "tied_embeddings": False, "tied_softmax": False}, vocabularies, pieces)


def make(
    folder: Path, model_config: dict, vocabularies: list[Vocabulary], pieces: sentencepiece.SentencePieceProcessor
) -> None:
    folder.mkdir(exist_ok=True)
    shutil.copy(PIECES, folder)
    torch.manual_seed(0)
    model = build_model(model_config, *vocabularies)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    model.eval()
    for side, vocabulary in zip(("src", "trg"), vocabularies, strict=True):
        vocabulary.to_file(folder / f"{side}_vocab.txt")
    torch.save({"model_state": model.state_dict()}, folder / "best.ckpt")
    data: dict[str, object] = {"task": "MT"}
    for side, language in (("src", "en"), ("trg", "xx")):
        data[side] = {"lang": language, "level": "bpe", "voc_file": f"{side}_vocab.txt", "lowercase": False,
                      "tokenizer_type": "sentencepiece", "tokenizer_cfg": {"model_file": "sp.model"}}  # fmt: skip
    config = {"name": folder.name, "data": data, "model": model_config, "testing": {"beam_size": 4}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    np.savez_compressed(folder / "expected.npz", **dict(compute(model, vocabularies, pieces)))


@torch.inference_mode()
def compute(model: torch.nn.Module, vocabularies: list[Vocabulary], pieces: sentencepiece.SentencePieceProcessor):
    """Of each text its ids, JoeyNMT's greedy output, and its logits and attention along that output."""
    for number, text in enumerate(TEXTS):
        ids = [vocabularies[0].lookup(piece) for piece in pieces.encode(text, out_type=str)] + [IDS["eos_id"]]
        source, mask = torch.tensor([ids]), torch.ones(1, 1, len(ids), dtype=torch.bool)
        states, hidden, _, _ = model(
            return_type="encode", src=source, src_length=torch.tensor([len(ids)]), src_mask=mask
        )
        encoded = {"encoder_output": states, "encoder_hidden": hidden, "src_mask": mask}
        output, _, _ = greedy(model=model, max_output_length=8, **encoded)
        target = torch.tensor([[IDS["bos_id"], *output[0].tolist()]])
        forced = {"trg_input": target, "trg_mask": None, "unroll_steps": target.shape[1], "decoder_hidden": None}
        logits, _, attention, _ = model(return_type="decode", **encoded, **forced)
        yield f"source_{number}", np.array(ids)
        yield f"target_{number}", target[0].numpy()
        yield f"logits_{number}", logits[0].numpy()
        yield f"attention_{number}", attention[0].numpy()


if __name__ == "__main__":
    main()
