"""Limits the models in memory: their number and their size."""

from collections.abc import Iterable
from dataclasses import dataclass

from regard_service.errors import ModelLimit


@dataclass(frozen=True)
class ModelLimits:
    """The limits of the models in memory. A version that replaces another takes its place.

    Attributes:
        max_models: the number of models; None: no limit.
        max_bytes: the size of their files, of all precisions; None: no limit.
    """

    max_models: int | None = None
    max_bytes: int | None = None

    def check(self, name: str, size_bytes: int, others: Iterable[int]) -> None:
        """Checks that a model fits.

        Args:
            others: sizes of the models that stay in memory, in bytes.

        Raises:
            ModelLimit: it does not; the message names the limit.
        """
        sizes = list(others)
        if self.max_models is not None and len(sizes) >= self.max_models:
            raise ModelLimit(
                f"model {name!r} is not loaded: {len(sizes)} others are in memory, and max_models is {self.max_models}"
            )
        if self.max_bytes is not None and sum(sizes) + size_bytes > self.max_bytes:
            raise ModelLimit(
                f"model {name!r} is not loaded: it has {size_bytes} bytes, {sum(sizes)} are in memory, and "
                f"max_models_bytes is {self.max_bytes}"
            )
