"""What a model makes of its source: the kinds of output that a manifest states.

A model that writes text has a decoder, and its output takes many steps. All others have an encode graph alone, whose
outputs are the answer: a request takes one step.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from regard import names
from regard_service.bundle.schema import Schema, Size, TokenId

Pooling = names.Pooling

# Outputs of encode graphs; those of masks have the names that step graphs give to candidates.
POOLED = "pooled_{}"
LOGITS = "logits"
BOX_LOGITS, BOXES = "box_logits", "boxes"
CANDIDATE_IDS, CANDIDATE_LOGITS, LOG_NORMALIZER = "candidate_ids", "candidate_logits", "log_normalizer"


class TextOutput(Schema):
    """Text that a decoder writes; the manifest's `target` says how."""

    kind: Literal["text"] = "text"


class VectorOutput(Schema):
    """A vector of each source, which the encode graph outputs for each pooling: `pooled_mean` and so on, float
    [requests, width].

    Attributes:
        pooling: where a request names none. "mean" averages the states of all tokens, "class" takes the first one's,
            "max" the largest of each dimension.
        poolings: those that the graph computes.
        is_normalized: whether vectors have length 1 where a request does not say.
    """

    kind: Literal["vector"] = "vector"
    width: Size
    pooling: Pooling = "mean"
    poolings: tuple[Pooling, ...] = Field(default=("mean", "class", "max"), min_length=1)
    is_normalized: bool = False

    @model_validator(mode="after")
    def _default_is_offered(self) -> "VectorOutput":
        if self.pooling not in self.poolings:
            raise ValueError(f"pooling {self.pooling!r} is not among those of the graph: {', '.join(self.poolings)}")
        return self


class LabelsOutput(Schema):
    """Probabilities of labels, of a whole source or of each of its tokens. The encode graph outputs `logits`: float
    [requests, labels], or [tokens, labels].

    Attributes:
        of: what a label is said of.
        is_exclusive: whether one label is right, so that probabilities sum to 1 (softmax); otherwise each label is
            right or wrong by itself (sigmoid).
        pooling: of a whole source's label: by which states it is labelled, the first one's or the mean of all.
    """

    kind: Literal["labels"] = "labels"
    labels: tuple[str, ...] = Field(min_length=1)
    of: Literal["source", "token"] = "source"
    is_exclusive: bool = True
    pooling: Literal["class", "mean"] = "class"

    @model_validator(mode="after")
    def _labels_differ(self) -> "LabelsOutput":
        if len(set(self.labels)) < len(self.labels):
            raise ValueError("two labels have one name")
        return self


class PiecesOutput(Schema):
    """Pieces of the vocabulary in place of masks. The encode graph reads `masked`, int64 [masked], the positions of
    masks among the packed tokens, and outputs `candidate_logits` and `candidate_ids`, [masked, candidates], and
    `log_normalizer`, [masked], which mean what they mean in a step graph.

    Attributes:
        mask: the token that stands for a mask in a text; one of the source's control tokens.
        candidates: how many pieces the graph outputs for a mask.
    """

    kind: Literal["pieces"] = "pieces"
    mask: str = Field(min_length=1)
    mask_id: TokenId
    candidates: Size


class BoxesOutput(Schema):
    """Boxes of objects in a picture, with labels. The encode graph outputs `boxes`, float [requests, queries, 4]:
    centre x, centre y, width and height as parts of the sides of the picture that the model reads; and `box_logits`,
    float [requests, queries, labels]. The trace graph outputs `cross_attention_L`, [heads, queries, source].

    Attributes:
        labels: two may have one name, as those of COCO that stand for nothing.
        is_exclusive: whether a query finds one object at most: `box_logits` then has one column more, the last, for
            none, and probabilities sum to 1 (softmax). Otherwise each label of a query is an object by itself
            (sigmoid).
        queries: how many there are.
    """

    kind: Literal["boxes"] = "boxes"
    labels: tuple[str, ...] = Field(min_length=1)
    is_exclusive: bool = True
    queries: Size


Output = Annotated[TextOutput | VectorOutput | LabelsOutput | PiecesOutput | BoxesOutput, Field(discriminator="kind")]
