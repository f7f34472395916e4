"""How a table stores alignments: dense or sparse, as float32, float16 or uint8."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from regard.names import MapEncoding
from regard.values.maps import AttentionMap
from regard.wire import encoding as wire
from regard.wire.enums import ENCODING

_DTYPES: dict[MapEncoding, type[np.generic]] = {"float32": np.float32, "float16": np.float16, "uint8": np.uint8}
_LEVELS = 255  # of uint8, above 0


@dataclass(frozen=True)
class AlignmentFormat:
    """The numbers of the column `alignment`, and the columns beside it.

    Attributes:
        encoding: the type of the numbers. Of "uint8" a weight is the number times the row's `alignment_scale`.
        top_k: how many of the largest weights of each target position are stored, with their source positions in
            `alignment_indices`; 0 stores all.
    """

    encoding: MapEncoding = "float32"
    top_k: int = 0

    @property
    def has_scale(self) -> bool:
        """Whether there is a column `alignment_scale`."""
        return self.encoding == "uint8"

    def cells(self, alignment: AttentionMap | None) -> dict[str, Any]:
        """The columns' values for one result, rows of numbers [target, source] or [target, top_k]; None for no map."""
        if alignment is None:
            cells: dict[str, Any] = {"alignment": None, "alignment_indices": None, "alignment_scale": None}
        else:
            values = alignment.values
            top_k = min(self.top_k, values.shape[-1])
            scale = (alignment.message.scale or float(values.max(initial=0.0)) / _LEVELS) if self.has_scale else 0.0
            data, indices = wire.encode(values, ENCODING.number(self.encoding), top_k, scale)
            shape = (values.shape[0], top_k or values.shape[1])
            cells = {
                "alignment": list(np.frombuffer(data, _DTYPES[self.encoding]).reshape(shape)),
                "alignment_indices": list(np.frombuffer(indices, np.uint16).reshape(shape)) if top_k else None,
                "alignment_scale": scale,
            }
        return {name: value for name, value in cells.items() if name in self.columns}

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        sparse = ("alignment_indices",) if self.top_k else ()
        return ("alignment", *sparse, *(("alignment_scale",) if self.has_scale else ()))
