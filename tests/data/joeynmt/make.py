"""Makes the checkpoint beside this file with JoeyNMT 2.3.0's own code, and what JoeyNMT computes with it.

    python tests/data/joeynmt/make.py    # in an environment with `joeynmt`, which this project does not depend on

The weights are random. JoeyNMT's files also hold a table of 5,000 positions a side, which follows from the width and is
left out here for its size.
"""

import io
import sys
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
sys.path.insert(0, str(FOLDER.parents[2]))
from regard_export.examples.sentences import EXAMPLE_SENTENCES  # noqa: E402

SPECIAL = {"unk_token": "<unk>", "pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}
IDS = {"unk_id": 0, "pad_id": 1, "bos_id": 2, "eos_id": 3}
SIDE = {
    "type": "transformer", "num_layers": 2, "num_heads": 2, "hidden_size": 16, "ff_size": 32, "layer_norm": "pre",
    "embeddings": {"embedding_dim": 16, "scale": True}, "dropout": 0.0, "activation": "relu",
}  # fmt: skip
SOURCES = ("Thank you!", "I have never been to the sea.")


def main() -> None:
    pieces = train_pieces(FOLDER / "sp.model")
    tokens = [pieces.id_to_piece(i) for i in range(3, pieces.get_piece_size())]
    special = SimpleNamespace(**SPECIAL, **IDS, lang_tags=[], sep_token=None)
    vocabularies = [Vocabulary(tokens, special), Vocabulary(tokens[:-5], special)]
    model_config = {"initializer": "xavier_uniform", "encoder": SIDE, "decoder": SIDE, "tied_embeddings": False,
                    "tied_softmax": True}  # fmt: skip
    torch.manual_seed(0)
    model = build_model(model_config, *vocabularies)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, mean=float(parameter.dim() == 1) * 0.5, std=0.4)
    model.eval()
    for side, vocabulary in zip(("src", "trg"), vocabularies, strict=True):
        vocabulary.to_file(FOLDER / f"{side}_vocab.txt")
    state = {name: x for name, x in model.state_dict().items() if not name.endswith("pe.pe")}
    torch.save({"model_state": state}, FOLDER / "best.ckpt")
    data: dict[str, object] = {"task": "MT"}
    for side, language in (("src", "en"), ("trg", "xx")):
        data[side] = {"lang": language, "level": "bpe", "voc_file": f"{side}_vocab.txt", "lowercase": False,
                      "tokenizer_type": "sentencepiece", "tokenizer_cfg": {"model_file": "sp.model"}}  # fmt: skip
    config = {"name": "tiny", "data": data, "model": model_config,
              "testing": {"beam_size": 4, "beam_alpha": 1.0, "max_output_length": 12}}  # fmt: skip
    (FOLDER / "config.yaml").write_text(yaml.safe_dump(config))
    np.savez_compressed(FOLDER / "expected.npz", **dict(compute(model, vocabularies, pieces)))


def train_pieces(file: Path) -> sentencepiece.SentencePieceProcessor:
    """Through a stream, since a model keeps the path of the file that it was told to write."""
    stream = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(EXAMPLE_SENTENCES), model_writer=stream, vocab_size=90, model_type="bpe",
        normalization_rule_name="identity", minloglevel=2,
    )  # fmt: skip
    file.write_bytes(stream.getvalue())
    return sentencepiece.SentencePieceProcessor(model_proto=stream.getvalue())


@torch.inference_mode()
def compute(model: torch.nn.Module, vocabularies: list[Vocabulary], pieces: sentencepiece.SentencePieceProcessor):
    """Ids of each source, JoeyNMT's greedy output, and its logits along that output."""
    for number, text in enumerate(SOURCES):
        ids = [vocabularies[0].lookup(piece) for piece in pieces.encode(text, out_type=str)] + [IDS["eos_id"]]
        source, mask = torch.tensor([ids]), torch.ones(1, 1, len(ids), dtype=torch.bool)
        length = torch.tensor([len(ids)])
        states, hidden, _, _ = model(return_type="encode", src=source, src_length=length, src_mask=mask)
        encoded = {"encoder_output": states, "encoder_hidden": hidden, "src_mask": mask}
        output, _, _ = greedy(model=model, max_output_length=8, **encoded)
        target = torch.tensor([[IDS["bos_id"], *output[0].tolist()]])
        target_mask = torch.ones(1, 1, target.shape[1], dtype=torch.bool)
        forced = {"trg_input": target, "trg_mask": target_mask, "unroll_steps": None, "decoder_hidden": None}
        logits, *_ = model(return_type="decode", **encoded, **forced)
        yield f"source_{number}", np.array(ids)
        yield f"target_{number}", target[0].numpy()
        yield f"logits_{number}", logits[0].numpy()


if __name__ == "__main__":
    main()
