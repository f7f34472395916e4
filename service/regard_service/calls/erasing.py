"""Inputs of which parts are erased: tokens are taken out of a text, regions of a picture get its mean colour.

Of a picture with a question, regions alone are erased: what is left of a question asks something else.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from regard_service.calls.inputs import Part, SourceQuestion
from regard_service.pictures.reader import SourceImage
from regard_service.text.reading import SourceText


@dataclass(frozen=True)
class Units:
    """What can be erased of an input.

    Attributes:
        first: position on the source axis of the first token, or of the first region.
        indexes: of the tokens that are no special ones, or of all regions, row by row.
    """

    part: Part
    first: int
    indexes: tuple[int, ...]

    @classmethod
    def of(cls, part: Part) -> "Units":
        """Returns the units of an input."""
        if isinstance(part, SourceQuestion):
            units = cls.of(part.picture)
            return cls(part, len(part.question.tokens) + units.first, units.indexes)
        if isinstance(part, SourceImage):
            return cls(part, part.grid.first_position, tuple(range(part.grid.rows * part.grid.columns)))
        return cls(part, 0, tuple(index for index, token in enumerate(part.tokens) if not token.is_special))

    @property
    def num_listed(self) -> int:
        """How many tokens the input has, special ones included, or how many regions."""
        return len(self.part.tokens) if isinstance(self.part, SourceText) else len(self.indexes)

    def without(self, erased: Collection[int]) -> Part:
        """Returns the input without some units."""
        if isinstance(self.part, SourceQuestion):
            return replace(self.part, picture=_masked(self.part.picture, erased))
        if isinstance(self.part, SourceImage):
            return _masked(self.part, erased)
        dropped = frozenset(erased)
        return replace(self.part, tokens=tuple(t for i, t in enumerate(self.part.tokens) if i not in dropped))

    def only(self, kept: Collection[int]) -> Part:
        """Returns the input with some units and no others; special tokens stay."""
        return self.without(frozenset(self.indexes) - frozenset(kept))

    def strongest(self, scores: Sequence[float], count: int) -> tuple[int, ...]:
        """Returns the units with the highest scores; of equal ones the first. Args: scores: of all listed units."""
        return tuple(sorted(self.indexes, key=lambda index: -scores[index])[:count])


def _masked(image: SourceImage, erased: Collection[int]) -> SourceImage:
    _, height, width = image.array.shape
    grid = image.grid
    is_erased = np.zeros(grid.rows * grid.columns, np.bool_)
    is_erased[list(erased)] = True
    rows = np.arange(height) * grid.rows // height
    columns = np.arange(width) * grid.columns // width
    is_masked = is_erased.reshape(grid.rows, grid.columns)[rows][:, columns]
    mean = image.array.mean(axis=(1, 2), keepdims=True, dtype=np.float32)
    return replace(image, array=np.where(is_masked, mean, image.array))
