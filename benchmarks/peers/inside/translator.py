"""What a peer's server needs of its engine."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

Asked = dict[str, Any]


class Translator(ABC):
    """An engine with its tokenizer."""

    versions: dict[str, str]
    setting: str

    @abstractmethod
    def translate(self, batch: Sequence[Asked]) -> list[Asked]:
        """Answers a batch; each output has the length that it was asked for."""
