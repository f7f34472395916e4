"""Trains the checkpoints beside this file with OpenNMT-py 3.5.1, and writes what OpenNMT-py computes with them.

    python tests/data/opennmt/make.py [MODEL ...]    # where `OpenNMT-py` is, which this project does not need

The optimizer's state is left out, as OpenNMT-py's own release tool leaves it out; so is the table of 5,000 positions,
which follows from the width. fastText, which nothing here uses, need not be there.
"""

import sys
import tempfile
import types
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
import torch
import yaml

sys.modules.setdefault("fasttext", types.ModuleType("fasttext"))
from onmt.bin.train import _get_parser, train  # noqa: E402
from onmt.inputters.inputter import dict_to_vocabs  # noqa: E402
from onmt.model_builder import build_model  # noqa: E402

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent))
from toy_language import TEXTS, WORDS, sentence_pairs  # noqa: E402

STEPS = 200
MAX_NEW_TOKENS = 20
COMMON = (
    f"-train_steps {STEPS} -save_checkpoint_steps {STEPS} -batch_size 32 -optim adam -learning_rate 0.01 -seed 1 "
    "-dropout 0 -attention_dropout 0 -num_workers 0 -bucket_size 512 -hidden_size 32 -word_vec_size 32"
)
MODELS = {
    "transformer": "-encoder_type transformer -decoder_type transformer -position_encoding -layers 2 -heads 2 "
    "-transformer_ff 48",
    "lstm-general": "-encoder_type brnn -decoder_type rnn -rnn_type LSTM -layers 2 -global_attention general",
    "gru-mlp": "-encoder_type rnn -decoder_type rnn -rnn_type GRU -layers 1 -global_attention mlp",
}
SENTENCEPIECE = "lstm-general"  # the others read words


def main() -> None:
    pairs = sentence_pairs(2000)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for side, texts in zip(("src", "tgt"), zip(*pairs, strict=True), strict=True):
            (folder / side).write_text("\n".join(texts) + "\n")
        train_pieces([text for pair in pairs for text in pair])
        for model in sys.argv[1:] or MODELS:
            make(model, folder)


def train_pieces(texts: list[str]) -> None:
    with (FOLDER / "sp.model").open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts), model_writer=file, vocab_size=60, model_type="unigram",
            normalization_rule_name="identity", minloglevel=2, hard_vocab_limit=False,
        )  # fmt: skip


def make(name: str, folder: Path) -> None:
    data = {"corpus": {"path_src": str(folder / "src"), "path_tgt": str(folder / "tgt")}}
    options = {"data": data, "src_vocab": str(folder / "src.vocab"), "tgt_vocab": str(folder / "tgt.vocab")}
    vocabularies = sorted(WORDS), sorted(WORDS.values())
    if name == SENTENCEPIECE:
        pieces = sentencepiece.SentencePieceProcessor(str(FOLDER / "sp.model"))
        known = [pieces.id_to_piece(i) for i in range(3, pieces.get_piece_size())]
        vocabularies = known, known
        options |= {"transforms": ["sentencepiece"]}
        options |= {f"{side}_subword_model": str(FOLDER / "sp.model") for side in ("src", "tgt")}
    for side, words in zip(("src", "tgt"), vocabularies, strict=True):
        (folder / f"{side}.vocab").write_text("\n".join(words) + "\n")
    (folder / "config.yaml").write_text(yaml.safe_dump(options))
    arguments = f"-config {folder}/config.yaml -save_model {folder}/{name} {COMMON} {MODELS[name]}"
    chosen, _ = _get_parser().parse_known_args(arguments.split())
    train(chosen)
    release(folder / f"{name}_step_{STEPS}.pt", FOLDER / f"{name}.pt")


def release(trained: Path, released: Path) -> None:
    """Leaves out what is not needed, and paths of this machine; then computes."""
    checkpoint = torch.load(trained, weights_only=False)
    checkpoint["optim"] = None
    checkpoint["model"] = {key: x for key, x in checkpoint["model"].items() if not key.endswith("pe.pe")}
    for key, value in vars(checkpoint["opt"]).items():
        if isinstance(value, str) and value.startswith("/"):
            setattr(checkpoint["opt"], key, Path(value).name)
    for corpus in checkpoint["opt"].data.values():
        corpus |= {key: Path(corpus[key]).name for key in ("path_src", "path_tgt")}
    torch.save(checkpoint, released)
    np.savez_compressed(released.with_suffix(".npz"), **dict(compute(torch.load(trained, weights_only=False))))


def compute(checkpoint: dict):
    """Of each text its ids, OpenNMT-py's greedy output, and logits and attention along it."""
    options, vocabularies = checkpoint["opt"], dict_to_vocabs(checkpoint["vocab"])
    model = build_model(options, options, vocabularies, checkpoint, -1).eval()
    for number, text in enumerate(TEXTS):
        words = text.split()
        if options.transforms:
            words = sentencepiece.SentencePieceProcessor(str(FOLDER / "sp.model")).encode(text, out_type=str)
        ids = [vocabularies["src"].lookup_token(word) for word in words]
        end = vocabularies["tgt"].lookup_token("</s>")
        target = [vocabularies["tgt"].lookup_token("<s>")]
        while len(target) <= MAX_NEW_TOKENS and (target[-1] != end or len(target) == 1):
            target.append(int(run(model, ids, target)[0][-1].argmax()))
        logits, attention = run(model, ids, target[:-1])
        yield f"source_{number}", np.array(ids)
        yield f"target_{number}", np.array(target)
        yield f"logits_{number}", logits.numpy()
        yield f"attention_{number}", attention.numpy()


@torch.inference_mode()
def run(model: Any, ids: list[int], target: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits [target, vocabulary] and the attention that OpenNMT-py tells, [target, source]: of a transformer, the last
    layer's first head.
    """
    source, length = torch.tensor(ids)[None, :, None], torch.tensor([len(ids)])
    states, final, length = model.encoder(source, length)
    model.decoder.init_state(source, states, final)
    read = torch.tensor(target)[None, :, None]
    output, attention = model.decoder(read, states, src_len=length, return_attn=True)
    weights = attention["std"]
    return model.generator(output[0]), weights.reshape(-1, len(target), len(ids))[0]


if __name__ == "__main__":
    main()
