"""Models of `transformers` that read texts and have no decoder: BERT and relatives, DistilBERT, DeBERTa; with their
heads for sequences, tokens and masks. `sentence_transformers.py` reads the folders of sentence-transformers.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from regard.arrays import Float32Array
from regard_export.architectures.disentangled import DisentangledEncoder
from regard_export.architectures.encoder_only import EncoderOnlyArchitecture
from regard_export.architectures.output_heads import (
    POOLINGS,
    Head,
    HeadLayer,
    LabelsHead,
    PiecesHead,
    VectorHead,
)
from regard_export.architectures.transformer_encode import TextEncoder
from regard_export.checkpoints.encoder_model import EncoderModel
from regard_export.checkpoints.files import read_json
from regard_export.checkpoints.source_model import LoadOptions
from regard_export.checkpoints.weight_names import ACTIVATIONS, WEIGHT_AND_BIAS, renamed, weights_under
from regard_export.descriptions.disentangled import DisentangledDescription
from regard_export.descriptions.encoders import BertDescription
from regard_export.descriptions.layers import Linear, Norm, Weights
from regard_export.descriptions.transformer_weights import TransformerWeights
from regard_export.errors import ExportError
from regard_export.families.hugging_face.added_tokens import control_tokens, typed_ids
from regard_export.families.hugging_face.deberta import deberta_encoder
from regard_export.families.hugging_face.encoder_decoder import bert_encoder
from regard_export.families.hugging_face.fast_tokenizers import bundled_tokenizer, open_tokenizer
from regard_export.families.hugging_face.labels import labels_output
from regard_export.families.hugging_face.net_loading import load_net
from regard_export.families.hugging_face.sentence_transformers import SentenceModel, read_sentence_model
from regard_export.references.protocols import Source
from regard_models.nets.bert import BertConfig
from regard_service.bundle import (
    LOGITS,
    POOLED,
    Output,
    PiecesOutput,
    Provenance,
    Task,
    TextSource,
    VectorOutput,
)

TOKENIZER = "tokenizer.json"
DEBERTA = "deberta-v2"
OPERATORS = {"gelu": "Gelu", "relu": "Relu", "tanh": "Tanh"}  # of the layer before labels, by its activation
MAX_TOKENIZER_LIMIT = 100_000  # a tokenizer without a limit states a much larger number

ENCODING, SEQUENCES, TOKENS, MASKS = "Model", "ForSequenceClassification", "ForTokenClassification", "ForMaskedLM"
TASKS: dict[str, Task] = {
    ENCODING: "encoding",
    SEQUENCES: "classification",
    TOKENS: "classification",
    MASKS: "mask_filling",
}

# Weights that the heads of one class do not read and another's checkpoint has.
IGNORED = re.compile(
    r"(\w+\.)?pooler\..*|cls\..*|lm_head\..*|vocab_\w+\..*|(pre_)?classifier\..*|qa_outputs\..*|.*\.position_ids"
)
IGNORED_BESIDE_HEAD = re.compile(r"(\w+\.)?pooler\..*|cls\.seq_relationship\..*|.*\.position_ids")

DISTILBERT_LAYER = {
    **{f"self_attention.{ours}": f"attention.{ours[0]}_lin" for ours in ("query", "key", "value")},
    "self_attention.output": "attention.out_lin",
    "self_attention_sublayer.norm": "sa_layer_norm",
    "feed_forward.inner": "ffn.lin1",
    "feed_forward.outer": "ffn.lin2",
    "feed_forward_sublayer.norm": "output_layer_norm",
}


@dataclass(frozen=True)
class Family:
    """Models of one `model_type`.

    Attributes:
        classes: the beginning of their classes' names.
        base: the name of the encoder within a model with a head.
    """

    classes: str
    base: str


FAMILIES = {
    "bert": Family("Bert", "bert"),
    "roberta": Family("Roberta", "roberta"),
    "xlm-roberta": Family("XLMRoberta", "roberta"),
    "camembert": Family("Camembert", "roberta"),
    "distilbert": Family("DistilBert", "distilbert"),
    DEBERTA: Family("DebertaV2", "deberta"),
}


def load(folder: Path, load_options: LoadOptions) -> EncoderModel:
    """Reads a checkpoint's folder, or a folder of sentence-transformers.

    Raises:
        ExportError: the model is of an unknown kind, has unsupported options, or no head for the chosen task.
    """
    sentences = read_sentence_model(folder)
    place = folder / sentences.transformer
    settings = read_json(place / "config.json")
    kind = _kind(settings, load_options.task, is_encoding=sentences.is_whole)
    family = FAMILIES[str(settings["model_type"])]
    tokenizer = open_tokenizer(place)
    if not tokenizer.is_fast:
        raise ExportError(f"{place}: {type(tokenizer).__name__} is a tokenizer that is not supported")
    ignored = IGNORED if kind == ENCODING else IGNORED_BESIDE_HEAD
    net_class = getattr(transformers, f"{family.classes}{kind}")
    net = load_net(net_class, place, ignored=ignored, is_pickle_trusted=load_options.is_pickle_trusted)
    weights = {name: x.numpy() for name, x in net.state_dict().items()}
    base = weights if kind == ENCODING else weights_under(weights, f"{family.base}.")
    description = _encoder(net.config, base)
    head = _head(kind, net.config, weights, description)
    encoder = TextEncoder(description)
    if isinstance(description, DisentangledDescription):
        encoder = DisentangledEncoder(description)
    return EncoderModel(
        family=str(settings["model_type"]),
        task=TASKS[kind],
        architecture=EncoderOnlyArchitecture(encoder, head),
        reference=TextEncoderOriginal(net, kind, tokenizer, lower_cases=sentences.lower_cases),
        source=text_source(tokenizer),
        output=_output(kind, net.config, head, tokenizer, sentences),
        tokenizers={TOKENIZER: _lower_casing(bundled_tokenizer(tokenizer), sentences)},
        max_source_tokens=_max_tokens(tokenizer, description, sentences),
        provenance=Provenance(source=str(settings.get("_name_or_path") or folder.name)),
    )


def kind_of(settings: Mapping[str, Any]) -> str | None:
    """The kind of model that a config states; None if it states none of these."""
    if settings.get("model_type") not in FAMILIES:
        return None
    for name in settings.get("architectures") or ():
        for kind in (SEQUENCES, TOKENS, MASKS, ENCODING):
            if str(name).endswith(kind):
                return kind
    return ENCODING


def _kind(settings: Mapping[str, Any], task: Task | None, *, is_encoding: bool) -> str:
    """The chosen task's kind, or the checkpoint's own; every encoder can encode."""
    stated = kind_of(settings)
    if stated is None:
        known = ", ".join(sorted(FAMILIES))
        raise ExportError(f"unknown encoder {settings.get('model_type')!r}; known are {known}")
    stated = ENCODING if is_encoding else stated
    if task == TASKS[ENCODING]:
        return ENCODING
    if task not in (None, TASKS[stated]):
        raise ExportError(f"this checkpoint does {TASKS[stated]} or {TASKS[ENCODING]}, not {task}")
    return stated


def _encoder(config: Any, weights: Weights) -> BertDescription | DisentangledDescription:
    if config.model_type == DEBERTA:
        return deberta_encoder(config, weights)
    return _distilbert(config, weights) if config.model_type == "distilbert" else bert_encoder(config, weights)


def _distilbert(config: Any, theirs: Weights) -> BertDescription:
    """Sanh et al. 2019: BERT with half of its layers, without segments."""
    if config.activation not in ACTIVATIONS:
        raise ExportError(f"this distilbert encoder has an unsupported activation: {config.activation!r}")
    names = {"embedding": "embeddings.word_embeddings", "encoder_positions": "embeddings.position_embeddings"}
    ours = renamed(theirs, names, ("weight",))
    ours |= renamed(theirs, {"encoder_embedding_norm": "embeddings.LayerNorm"}, WEIGHT_AND_BIAS)
    ours["segments.weight"] = np.zeros((1, config.dim), np.float32)
    for layer in range(config.n_layers):
        place = f"transformer.layer.{layer}."
        ours |= renamed(theirs, DISTILBERT_LAYER, WEIGHT_AND_BIAS, f"encoder.{layer}.", place)
    bert = BertConfig(
        vocab_size=config.vocab_size,
        width=config.dim,
        num_heads=config.n_heads,
        num_layers=config.n_layers,
        feed_forward_width=config.hidden_dim,
        max_positions=len(ours["encoder_positions.weight"]),
        num_segments=1,
        activation=ACTIVATIONS[config.activation],
        norm_epsilon=1e-12,
    )
    return BertDescription(bert.layers, ours, bert=bert)


def _head(kind: str, config: Any, weights: Weights, description: TransformerWeights) -> Head:
    if kind == ENCODING:
        return VectorHead(description.config.width)
    if kind == TOKENS:
        return LabelsHead((HeadLayer(Linear.of(weights, "classifier")),), pooling=None)
    if kind == MASKS:
        return _pieces_head(config, weights, description)
    return LabelsHead(_sequence_layers(config, weights))


def _sequence_layers(config: Any, weights: Weights) -> tuple[HeadLayer, ...]:
    """The layers over the first token's state."""
    match config.model_type:
        case "bert":
            return HeadLayer(Linear.of(weights, "bert.pooler.dense"), "Tanh"), HeadLayer(
                Linear.of(weights, "classifier")
            )
        case "distilbert":
            return HeadLayer(Linear.of(weights, "pre_classifier"), "Relu"), HeadLayer(Linear.of(weights, "classifier"))
        case "deberta-v2":
            if config.pooler_hidden_act not in OPERATORS:
                raise ExportError(f"this deberta-v2 has an unsupported pooler_hidden_act: {config.pooler_hidden_act!r}")
            pooler = HeadLayer(Linear.of(weights, "pooler.dense"), OPERATORS[config.pooler_hidden_act])
            return pooler, HeadLayer(Linear.of(weights, "classifier"))
        case _:
            dense, out = (Linear.of(weights, f"classifier.{name}") for name in ("dense", "out_proj"))
            return HeadLayer(dense, "Tanh"), HeadLayer(out)


def _pieces_head(config: Any, weights: Weights, description: TransformerWeights) -> PiecesHead:
    if config.model_type == DEBERTA and not config.legacy:
        raise ExportError("this deberta-v2 fills masks by another head than BERT's (legacy), which is not supported")
    match config.model_type:
        case "bert" | "deberta-v2":
            dense, norm, out = (
                f"cls.predictions.{name}" for name in ("transform.dense", "transform.LayerNorm", "decoder")
            )
            activation, epsilon = config.hidden_act, config.layer_norm_eps
        case "distilbert":
            dense, norm, out = "vocab_transform", "vocab_layer_norm", "vocab_projector"
            activation, epsilon = config.activation, 1e-12
        case _:
            dense, norm, out = "lm_head.dense", "lm_head.layer_norm", "lm_head.decoder"
            activation, epsilon = "gelu", config.layer_norm_eps
    projection = Linear.of(weights, out)
    is_tied = np.array_equal(projection.weight, description.embedding)
    if is_tied:
        projection = Linear("embedding", description.embedding, projection.bias)
    return PiecesHead(
        Linear.of(weights, dense),
        ACTIVATIONS[activation],
        Norm(norm, weights[f"{norm}.weight"], weights[f"{norm}.bias"], epsilon),
        projection,
        is_tied,
    )


def _output(kind: str, config: Any, head: Head, tokenizer: Any, sentences: SentenceModel) -> Output:
    if isinstance(head, VectorHead):
        return VectorOutput(
            width=head.width, pooling=sentences.pooling, poolings=POOLINGS, is_normalized=sentences.is_normalized
        )
    if isinstance(head, PiecesHead):
        return PiecesOutput(mask=tokenizer.mask_token, mask_id=tokenizer.mask_token_id, candidates=head.candidates)
    return labels_output(config, "token" if kind == TOKENS else "source")


def text_source(tokenizer: Any) -> TextSource:
    """The encoder's input: the pieces of a text between the special tokens that the tokenizer adds."""
    pieces, ids = (tokenizer("a", add_special_tokens=special).input_ids for special in (False, True))
    start = next(i for i in range(len(ids)) if ids[i : i + len(pieces)] == pieces)
    before, after = tuple(ids[:start]), tuple(ids[start + len(pieces) :])
    return TextSource(
        tokenizer=TOKENIZER,
        prefix_ids={"": before} if before else {},
        suffix_ids=after,
        control_tokens=control_tokens(tokenizer),
    )


def _lower_casing(tokenizer: str, sentences: SentenceModel) -> str:
    return sentences.lower_cased(tokenizer) if sentences.lower_cases else tokenizer


def _max_tokens(tokenizer: Any, description: TransformerWeights, sentences: SentenceModel) -> int:
    """Tokens of the longest text: of the positions, the tokenizer's limit, and what the folder says."""
    limits = [description.config.max_positions, int(tokenizer.model_max_length)]
    limits += [sentences.max_tokens] if sentences.max_tokens else []
    return min(limits)


class TextEncoderOriginal:
    """A net of `transformers` with its tokenizer, see `TextEncoderReference`.

    Args:
        net: with "eager" attention, the only one that returns its weights.
        lower_cases: whether texts are lower-cased before the tokenizer reads them.
    """

    def __init__(self, net: Any, kind: str, tokenizer: Any, *, lower_cases: bool = False) -> None:
        self.name = f"{type(net).__name__}, transformers {transformers.__version__}, PyTorch {torch.__version__}"
        self._net, self._kind, self._tokenizer, self._lower_cases = net, kind, tokenizer, lower_cases
        self.special_ids = frozenset(tokenizer.all_special_ids)

    def tokenize(self, text: str) -> list[int]:
        """See `TextEncoderReference`."""
        return typed_ids(self._tokenizer, text.lower() if self._lower_cases else text)

    @torch.inference_mode()
    def outputs(self, source: Source) -> dict[str, Float32Array]:
        """See `EncoderReference`."""
        ids = torch.tensor([list(map(int, source))])
        output = self._net(input_ids=ids)
        if self._kind == ENCODING:
            states = output.last_hidden_state[0]
            pooled = {"mean": states.mean(dim=0), "class": states[0], "max": states.max(dim=0).values}
            return {POOLED.format(pooling): pooled[pooling].numpy() for pooling in POOLINGS}
        logits = output.logits[0]
        if self._kind == MASKS:
            return {"masked_logits": logits[ids[0] == self._tokenizer.mask_token_id].numpy()}
        return {LOGITS: logits.numpy()}

    @torch.inference_mode()
    def attention(self, source: Source) -> Float32Array:
        """See `EncoderReference`."""
        output = self._net(input_ids=torch.tensor([list(map(int, source))]), output_attentions=True)
        weights: Float32Array = torch.cat(output.attentions).numpy()
        return weights
