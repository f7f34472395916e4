"""How many models a server holds, and how much of them."""

from collections.abc import Iterable
from dataclasses import dataclass

from regard_service.errors import ModelLimit


@dataclass(frozen=True)
class ModelLimits:
    """Of the models in memory; a version that replaces another counts in its place.

    Attributes:
        max_models: how many; None is no limit.
        max_bytes: of their files, of all precisions; None is no limit.
    """

    max_models: int | None = None
    max_bytes: int | None = None

    def check(self, name: str, size_bytes: int, others: Iterable[int]) -> None:
        """Makes sure that there is room for a model.

        Args:
            others: sizes of the models that stay.

        Raises:
            ModelLimit: there is none; the limit is named.
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
