"""The interface between a peer's server and its engine."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

Message = dict[str, Any]


class Translator(ABC):
    """An engine with its tokenizer."""

    versions: dict[str, str]
    setting: str

    @abstractmethod
    def translate(self, batch: Sequence[Message]) -> list[Message]:
        """Answers a batch; each output has the length that its request sets."""
