"""The parameters of DeepL's API: JSON, a form and a query say the same in other types."""

import re
from collections.abc import Mapping, Sequence
from typing import Self

from regard_service.http.doors.fields import Fields
from regard_service.http.json_fields import shown
from regard_service.validation.violations import Violations

MAX_NAME = 80

_TRUE, _FALSE = frozenset({"1", "true"}), frozenset({"0", "false"})
_ITEM = re.compile(r"(?P<name>[a-z_]+)\[(?P<index>[0-9]{1,3})\]\.(?P<field>[a-z_]+)")


class Parameters:
    """The parameters of a request, or of an object in it. Each is read once; what nobody reads is refused.

    One that is null counts as missing. A value that is not of its type is a violation, and reads as missing.

    Args:
        values: by name: JSON's values, or a form's texts.
        violations: collects what is wrong.
        path: of the object in the request, with a dot at its end.
    """

    def __init__(self, values: Mapping[str, object], violations: Violations, path: str = "") -> None:
        self._values = {name: value for name, value in values.items() if value is not None}
        self._violations = violations
        self._path = path
        self._read: set[str] = set()
        self._bad: set[str] = set()

    @classmethod
    def of(cls, fields: Fields) -> Self:
        """Returns the parameters of a request."""
        return cls(_of_form(fields.values) if fields.is_form else fields.values, Violations())

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def path(self, name: str) -> str:
        """Returns a field's path in the request."""
        return self._path + name

    def fault(self, name: str, description: str) -> None:
        """Adds a violation of a field, or of an item of it."""
        self._bad.add(name.partition("[")[0])
        self._violations.add(self.path(name), description)

    def missing(self, name: str, description: str) -> None:
        """Adds a violation of a field that is not there, or empty. A bad value that was read has its own already."""
        if name not in self._bad:
            self.fault(name, description)

    def text(self, name: str) -> str | None:
        """Returns a text; None if it is missing."""
        value = self._value(name)
        if value is not None and not isinstance(value, str):
            self.fault(name, f"must be one text; it is {shown(value)}")
            return None
        return value

    def needed_text(self, name: str) -> str:
        """Returns a text that must be there; "", with a violation, if it is missing, empty or no text."""
        text = self.text(name)
        if not text:
            self.missing(name, "is missing")
        return text or ""

    def texts(self, name: str) -> list[str]:
        """Returns a list of texts; one text is a list of it."""
        value = self._value(name)
        found = value if isinstance(value, list) else [] if value is None else [value]
        for index, each in enumerate(found):
            if not isinstance(each, str):
                self.fault(f"{name}[{index}]", f"must be a text; it is {shown(each)}")
        return [each for each in found if isinstance(each, str)]

    def names(self, name: str) -> list[str]:
        """Returns a list of names, which may be one text with commas."""
        return [part.strip() for text in self.texts(name) for part in text.split(",") if part.strip()]

    def flag(self, name: str) -> bool | None:
        """Returns a switch: true, false, 1 or 0; None if it is missing."""
        value = self._value(name)
        if value is None or isinstance(value, bool):
            return value
        said = str(value).lower()
        if said not in _TRUE | _FALSE:
            self.fault(name, f"must be true, false, 1 or 0; it is {shown(value)}")
            return None
        return said in _TRUE

    def choice(self, name: str, choices: Sequence[str]) -> str | None:
        """Returns one of the choices, in small letters; None if it is missing."""
        value = self._value(name)
        said = str(value).lower()
        if value is None:
            return None
        if said not in choices:
            self.fault(name, f"must be {', '.join(choices[:-1])} or {choices[-1]}; it is {shown(value)}")
            return None
        return said

    def items(self, name: str) -> list["Parameters"]:
        """Returns the objects of a list."""
        value = self._value(name)
        found = value if isinstance(value, list) else [] if value in (None, "") else [value]
        for index, each in enumerate(found):
            if not isinstance(each, dict):
                self.fault(f"{name}[{index}]", f"must be an object; it is {shown(each)}")
        return [
            Parameters(each, self._violations, f"{self.path(name)}[{index}].")
            for index, each in enumerate(found)
            if isinstance(each, dict)
        ]

    def refuse(self, name: str, reason: str) -> None:
        """Refuses a field that is there, by name."""
        if self._value(name) not in (None, "", []):
            self.fault(name, reason)

    def finish(self) -> None:
        """Raises InvalidInput with every violation. What nobody has read is one: it would have no effect."""
        self.refuse_others()
        self._violations.raise_if_any()

    def refuse_others(self) -> None:
        """Refuses what nobody has read."""
        for name in sorted(self._values.keys() - self._read):
            self._read.add(name)
            self._violations.add(self.path(name)[:MAX_NAME], "is not a parameter that this server knows")

    def _value(self, name: str) -> object:
        self._read.add(name)
        return self._values.get(name)


def _of_form(lists: Mapping[str, Sequence[str]]) -> dict[str, object]:
    """Returns a form's values: one text, or a list. "dictionaries[0].entries" is a field of an item."""
    values: dict[str, object] = {}
    items: dict[str, dict[int, dict[str, object]]] = {}
    for name, texts in lists.items():
        value: object = texts[0] if len(texts) == 1 else list(texts)
        item = _ITEM.fullmatch(name)
        if item is None:
            values[name] = value
        else:
            items.setdefault(item["name"], {}).setdefault(int(item["index"]), {})[item["field"]] = value
    return values | {name: [each[index] for index in sorted(each)] for name, each in items.items()}
