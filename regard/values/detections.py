"""The objects that a model finds in a picture."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from regard.arrays import Float32Array
from regard.v1 import regard_pb2 as pb
from regard.values.encodings import Explanation, ReadInput
from regard.wire import as_json


class Box(NamedTuple):
    """A rectangle in a picture's pixels, from its top left corner."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """In pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """In pixels."""
        return self.bottom - self.top


@dataclass(frozen=True)
class Detection:
    """An object in a picture.

    Attributes:
        score: how sure the model is, in [0, 1].
        box: where it is, within the picture.
        query: which of the model's queries found it; for a detector on a grid, the cell, row by row.
        explanations: of it, if the call asks for them.
    """

    label: str
    score: float
    box: Box
    query: int
    explanations: tuple[Explanation, ...] = ()


@dataclass(frozen=True)
class DetectResult:
    """The objects in a picture.

    Attributes:
        detections: highest score first; empty where none reaches the threshold.
        input: the picture as the model read it, with the maps: row i of an "alignment" is that of `detections[i]`.
    """

    detections: tuple[Detection, ...]
    input: ReadInput
    message: pb.DetectResult = field(repr=False, compare=False)

    def __repr__(self) -> str:
        found = ", ".join(f"{each.label} {each.score:.3f}" for each in self.detections[:3]) or "nothing"
        more = len(self.detections) - 3
        return f"<DetectResult {found}{f' and {more} more' if more > 0 else ''} {self.input}>"

    def map_of(self, index: int) -> Float32Array:
        """The map of one object over the picture: float32 [rows, columns] of `input.image_grid`, from the alignment.

        Raises:
            IndexError: there are not as many objects.
            ValueError: the call did not ask for the alignment.
        """
        alignment, grid = self.input.find_map("alignment"), self.input.image_grid
        if alignment is None or grid is None:
            raise ValueError('the call asks for no alignment: attention="alignment" does')
        row: Float32Array = alignment.values[range(len(self.detections))[index]]
        first = grid.first_position
        return row[first : first + grid.rows * grid.columns].reshape(grid.rows, grid.columns)

    def to_dict(self) -> dict[str, Any]:
        """The result as a JSON object: the proto's field names, maps as nested lists."""
        return as_json.to_dict(self.message)

    def to_json(self) -> str:
        """The result as one line of JSON."""
        return as_json.to_json(self.message)

    @classmethod
    def from_message(cls, message: pb.DetectResult) -> "DetectResult":
        """Reads a DetectResult of the API."""
        detections = tuple(
            Detection(
                label=each.label,
                score=each.score,
                box=Box(each.box.left, each.box.top, each.box.right, each.box.bottom),
                query=each.query,
                explanations=tuple(Explanation.from_message(own) for own in each.explanations),
            )
            for each in message.detections
        )
        return cls(detections, ReadInput.from_message(message.input), message)
