"""Makes a folder of sentence-transformers of the size of BERT-base, with random weights, and its ONNX Runtime graph."""

import random
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Pooling, Transformer
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from benchmarks.peers.inside import lines
from benchmarks.peers.inside.words import made_up_sentences

SEED = 0
NUM_PIECES = 8000  # trained pieces; the rest of the vocabulary never occurs in texts
MAX_TOKENS = 512
SPECIAL = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}


def write_bert(folder: str) -> None:
    """12 layers of 768, 30,522 pieces; vectors are means over tokens, not normalized."""
    torch.manual_seed(SEED)
    net = BertModel(BertConfig()).eval()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if parameter.dim() == 2 and "embeddings" not in name:
                parameter.normal_(std=parameter.shape[1] ** -0.5)  # preserves the scale of activations
    with TemporaryDirectory() as inner:
        net.save_pretrained(inner)
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=_tokenizer(), model_max_length=MAX_TOKENS, **SPECIAL)
        tokenizer.save_pretrained(inner)
        transformer = Transformer(inner, max_seq_length=MAX_TOKENS)
        SentenceTransformer(modules=[transformer, Pooling(net.config.hidden_size, "mean")]).save(folder)


def _tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=NUM_PIECES, special_tokens=list(SPECIAL.values()), show_progress=False
    )
    tokenizer.train_from_iterator(made_up_sentences(random.Random(SEED), 20_000), trainer)
    ends = [(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=ends)
    return tokenizer


class _States(torch.nn.Module):
    """The net with the inputs and the output of its graph."""

    def __init__(self, net: BertModel) -> None:
        super().__init__()
        self.net = net

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        states: torch.Tensor = self.net(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return states


def convert(source: str, folder: str) -> None:
    """Exports the net with PyTorch, and quantizes its linear layers to int8 as ONNX Runtime's guide for BERT does."""
    net = BertModel.from_pretrained(source, dtype=torch.float32, attn_implementation="eager").eval()
    ids = torch.ones((2, 7), dtype=torch.int64)
    plain = Path(folder) / "float32.onnx"
    axes = {0: "batch", 1: "tokens"}
    torch.onnx.export(
        _States(net),
        (ids, torch.ones_like(ids)),
        str(plain),
        input_names=["input_ids", "attention_mask"],
        output_names=["last_hidden_state"],
        dynamic_axes={"input_ids": axes, "attention_mask": axes, "last_hidden_state": axes},
        dynamo=False,
    )
    quantize_dynamic(plain, Path(folder) / "int8.onnx", weight_type=QuantType.QInt8, per_channel=True)
    plain.unlink()
    onnxruntime.InferenceSession(str(Path(folder) / "int8.onnx"))  # raises if it cannot be loaded


CALLS: dict[str, Callable[..., None]] = {"bert": write_bert, "convert": convert}

if __name__ == "__main__":
    lines.serve(CALLS)
