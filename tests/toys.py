"""Bundles made on the fly whose models do something that one can foretell: no training, and a few nodes a graph."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import save_model
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from regard_export.onnx_graph.builder import GraphBuilder
from regard_service.bundle import (
    AttentionLayout,
    Bundle,
    GenerationDefaults,
    GraphSpec,
    ImageSource,
    Manifest,
    Provenance,
    Target,
    TensorSpec,
    TextSource,
    Variant,
)

PAD, START, END, UNKNOWN = range(4)
SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
}
GRID = (2, 2)
SIDE = 32  # of the picture that the captioner sees

STYLES = {"subject": 3, "headline": 5}  # and how many words the summaries have
KNOWN_WORDS = ("the", "of", "a", "and", ".")
MAX_SOURCE_TOKENS = 14


def write_captioner(folder: Path, *, name: str = "colours", **source: Any) -> Bundle:
    """A captioner that says the colours of a picture's quarters, row by row, looking at each."""
    tokenizer = _words([*SPECIAL, *COLOURS])
    described = {"height": SIDE, "width": SIDE, "mean": (127.0,) * 3, "std": (128.0,) * 3, "resize": "squash"}
    cells = TensorSpec(name="cells", dtype="float32", shape=("requests", "source", 3))
    return _write(
        folder,
        tokenizer,
        encode=_average_quarters(cells),
        step=_name_colours(cells, [(np.array(colour) - 127) / 128 for colour in COLOURS.values()]),
        memory=cells,
        name=name,
        task="captioning",
        target_languages=("en",),
        source=ImageSource.model_validate({**described, "grid": GRID, **source}),
        max_source_tokens=GRID[0] * GRID[1],
    )


def write_summarizer(folder: Path, *, name: str = "beginnings") -> Bundle:
    """A summarizer that repeats a text's first words, and copies the words that it does not know."""
    tokenizer = _words([*SPECIAL, *(f"<{style}>" for style in STYLES), *KNOWN_WORDS])
    style_ids = {style: tokenizer.token_to_id(f"<{style}>") for style in STYLES}
    said = TensorSpec(name="said", dtype="int64", shape=("requests", "source"))
    subject_id = style_ids["subject"]
    assert subject_id is not None
    size = tokenizer.get_vocab_size()
    return _write(
        folder,
        tokenizer,
        encode=_say_words(said, size),
        step=_say_in_turn(said, size, subject_id),
        memory=said,
        name=name,
        task="summarization",
        source_languages=("en",),
        target_languages=("en",),
        styles=tuple(STYLES),
        source=TextSource(
            tokenizer="tokenizer.json",
            prefix_ids={style: (token_id,) for style, token_id in style_ids.items()},
            suffix_ids=(END,),
        ),
        copies=True,
        max_source_tokens=MAX_SOURCE_TOKENS,
    )


def _words(vocabulary: Sequence[str]) -> Tokenizer:
    """Lower-cased words and marks."""
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(vocabulary)}, unk_token=SPECIAL[UNKNOWN]))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


def _write(
    folder: Path,
    tokenizer: Tokenizer,
    *,
    encode: GraphBuilder,
    step: GraphBuilder,
    memory: TensorSpec,
    copies: bool = False,
    **described: Any,
) -> Bundle:
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    graphs = {}
    for graph in (encode, step):
        save_model(graph.build(), folder / f"{graph.name}.onnx")
        graphs[graph.name] = GraphSpec(
            file=f"{graph.name}.onnx", inputs=tuple(graph.inputs), outputs=tuple(graph.outputs)
        )
    target = Target(
        tokenizer="tokenizer.json",
        vocab_size=tokenizer.get_vocab_size(),
        start_id=START,
        pad_id=PAD,
        end_ids=(END,),
        copies=copies,
    )
    manifest = Manifest(
        version="1",
        family="toy",
        target=target,
        max_target_tokens=16,
        generation=GenerationDefaults(max_new_tokens=16),
        attention=AttentionLayout(layers=1, heads=1, alignment_heads=((0, 0),)),
        memory=(memory,),
        state=(),
        variants=(Variant(precision="float32", providers=("CPUExecutionProvider",), **graphs),),
        provenance=Provenance(source="a test"),
        files={},
        **described,
    )
    return Bundle.write_manifest(folder, manifest)


class _Toy(GraphBuilder):
    """A graph with the constants and shapes that the toys share."""

    def of(self, *values: int) -> str:
        return self.constant(np.array(values))

    def named(self, inputs: Mapping[str, tuple[str, tuple[int | str, ...]]]) -> None:
        for name, (dtype, shape) in inputs.items():
            self.input(TensorSpec(name=name, dtype=dtype, shape=shape))

    def integers(self, value: str) -> str:
        return self.node("Cast", value, to=7)

    def floats(self, value: str) -> str:
        return self.node("Cast", value, to=1)


class _Step(_Toy):
    """A step that looks at one position of the source after the other, from `first` on.

    Attributes:
        position: int64 [requests, beams], of the source, where this step looks.
        looks: bool [requests, beams, source].
        attention: float32 [requests, beams, source].
    """

    def __init__(self, memory: TensorSpec, first: int) -> None:
        super().__init__("step")
        self.named(
            {
                "lengths": ("int32", ("slots",)),
                "source_lengths": ("int32", ("requests",)),
                "num_candidates": ("int64", (1,)),
                memory.name: (memory.dtype, memory.shape),
            }
        )
        requests = self.node("Shape", "source_lengths")
        self.by_request = self.node("Concat", requests, self.of(-1), axis=0)
        lengths = self.node("Reshape", self.integers("lengths"), self.by_request)
        self.position = self.node("Add", lengths, self.of(first))
        num_source = self.node("Squeeze", self.node("Shape", memory.name, start=1, end=2), self.of(0))
        zero, one = self.constant(np.array(0)), self.constant(np.array(1))
        positions = self.node("Range", zero, num_source, one)
        self.looks = self.node("Equal", self.node("Unsqueeze", self.position, self.of(2)), positions)
        ends = self.node("Reshape", self.integers("source_lengths"), self.of(-1, 1, 1))
        hidden = self.node("GreaterOrEqual", positions, ends)  # [requests, 1, source]
        scores = self.node("Mul", self.floats(self.looks), self.constant(np.float32(5)))
        scores = self.node("Where", hidden, self.constant(np.float32(-1e9)), scores)
        self.attention = self.node("Softmax", scores, axis=-1)
        self.node("Unsqueeze", self.attention, self.of(1), output="cross_attention_0")
        self.output(TensorSpec(name="cross_attention_0", dtype="float32", shape=("requests", 1, "beams", "source")))

    def write(self, logits: str, ended: str) -> None:
        """Adds the best candidates.

        Args:
            logits: float32 [slots, vocabulary].
            ended: bool [requests, beams], where nothing but the end may follow.
        """
        over = self.node("Reshape", ended, self.of(-1, 1))
        size = self.node("Squeeze", self.node("Shape", logits, start=1, end=2), self.of(0))
        ids = self.node("Range", self.constant(np.array(0)), size, self.constant(np.array(1)))
        is_end = self.node("Equal", ids, self.of(END))
        allowed = self.node("Equal", over, is_end)  # [slots, vocabulary]
        kept = self.node("Where", allowed, logits, self.node("Min", logits, self.constant(np.float32(-1e4))))
        probabilities = self.node("LogSoftmax", kept, axis=-1)
        self.nodes("TopK", [probabilities, "num_candidates"], ["candidate_logits", "candidate_ids"], axis=-1)
        zeros = self.node("ReduceSum", self.floats(over), self.of(1), keepdims=0)
        self.node("Mul", zeros, self.constant(np.float32(0)), output="log_normalizer")
        self.output(TensorSpec(name="candidate_logits", dtype="float32", shape=("slots", "candidates")))
        self.output(TensorSpec(name="candidate_ids", dtype="int64", shape=("slots", "candidates")))
        self.output(TensorSpec(name="log_normalizer", dtype="float32", shape=("slots",)))


def _average_quarters(cells: TensorSpec) -> GraphBuilder:
    graph = _Toy("encode")
    graph.named({"pixels": ("float32", ("requests", 3, SIDE, SIDE))})
    size = [SIDE // GRID[0], SIDE // GRID[1]]
    means = graph.node("AveragePool", "pixels", kernel_shape=size, strides=size)
    graph.node("Transpose", graph.node("Reshape", means, graph.of(0, 3, -1)), perm=[0, 2, 1], output=cells.name)
    graph.output(cells)
    return graph


def _name_colours(cells: TensorSpec, colours: Sequence[NDArray[Any]]) -> GraphBuilder:
    graph = _Step(cells, first=0)
    seen = graph.node("MatMul", graph.attention, cells.name)  # [requests, beams, 3]
    seen = graph.node("Reshape", seen, graph.of(-1, 1, 3))
    # |x - c|^2 to each colour; what is no colour is far away from everything.
    table = np.concatenate([np.full((len(SPECIAL), 3), 9.0), np.stack(colours)]).astype(np.float32)
    off = graph.node("Sub", seen, graph.constant(table[None]))
    distances = graph.node("ReduceSumSquare", off, graph.of(2), keepdims=0)
    ended = graph.node("GreaterOrEqual", graph.position, graph.of(GRID[0] * GRID[1]))
    graph.write(graph.node("Neg", distances), ended)
    return graph


def _say_words(said: TensorSpec, vocab_size: int) -> GraphBuilder:
    """What each position of the source would be as output: its id, or a copy's."""
    graph = _Toy("encode")
    graph.named(
        {
            "source_ids": ("int64", ("tokens",)),
            "source_words": ("int64", ("tokens",)),
            "padded_to_packed": ("int64", ("requests", "source")),
        }
    )
    copies = graph.node("Add", "source_words", graph.of(vocab_size))
    chosen = graph.node("Where", graph.node("Equal", "source_ids", graph.of(UNKNOWN)), copies, "source_ids")
    graph.node("Gather", chosen, "padded_to_packed", output=said.name)
    graph.output(said)
    return graph


def _say_in_turn(said: TensorSpec, vocab_size: int, subject_id: int) -> GraphBuilder:
    graph = _Step(said, first=1)
    row = graph.node("Unsqueeze", said.name, graph.of(1))  # [requests, 1, source]
    looked_at = graph.node("Mul", row, graph.integers(graph.looks))
    word = graph.node("ReduceSum", looked_at, graph.of(2), keepdims=0)  # [requests, beams]
    num_source = graph.node("Shape", said.name, start=1, end=2)
    num_ids = graph.node("Add", num_source, graph.of(vocab_size))
    size = graph.node("Squeeze", num_ids, graph.of(0))
    ids = graph.node("Range", graph.constant(np.array(0)), size, graph.constant(np.array(1)))
    is_word = graph.node("Equal", graph.node("Reshape", word, graph.of(-1, 1)), ids)
    logits = graph.node("Mul", graph.floats(is_word), graph.constant(np.float32(10)))
    lengths = graph.node("Reshape", graph.integers("source_lengths"), graph.of(-1, 1))
    beyond = graph.node("GreaterOrEqual", ids, graph.node("Add", lengths, graph.of(vocab_size)))  # [requests, ids]
    shape = graph.node("Concat", graph.node("Shape", word), graph.of(1), axis=0)
    none = graph.node("Expand", graph.constant(np.array(False)), shape)  # [requests, beams, 1]
    beyond = graph.node("Or", graph.node("Unsqueeze", beyond, graph.of(1)), none)
    beyond = graph.node("Reshape", beyond, graph.node("Concat", graph.of(-1), num_ids, axis=0))
    logits = graph.node("Where", beyond, graph.constant(np.float32(-np.inf)), logits)
    style = graph.node("Slice", said.name, graph.of(0), graph.of(1), graph.of(1))  # [requests, 1]
    is_subject = graph.node("Equal", style, graph.of(subject_id))
    most = graph.node("Where", is_subject, graph.of(STYLES["subject"]), graph.of(STYLES["headline"]))
    last = graph.node("Sub", lengths, graph.of(2))
    graph.write(logits, graph.node("Greater", graph.position, graph.node("Min", most, last)))
    return graph
