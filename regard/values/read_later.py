"""Values that are read from a message of the API when they are first looked at.

Who wants the text of thousands of results does not pay for the tokens of each.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self


class ReadLater:
    """Base of a frozen dataclass with a field `message`; the other fields may be read from it later."""

    _readers: ClassVar[Mapping[str, Callable[[Any], Any]]] = {}
    """By field: the function that reads it from the message."""

    @classmethod
    def _of(cls, message: Any, **known: Any) -> Self:
        """The value of a message, with fields that are known already."""
        made = object.__new__(cls)
        made.__dict__.update(known, message=message)
        return made

    if not TYPE_CHECKING:  # a type checker would take it for a promise of any attribute

        def __getattr__(self, name: str) -> Any:
            """Reads a field that has not been read, and keeps it."""
            reader = self._readers.get(name)
            if reader is None:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)
            value = self.__dict__[name] = reader(self.message)
            return value
