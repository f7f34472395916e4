"""The names of options on the command line, for errors that name fields of the API."""

import re

# Options whose field has another name.
_FLAGS = {
    "target_language": "--to",
    "source_language": "--from",
    "attention.kinds": "--kind",
    "control_tokens": "--control-token",
    "text_options.protected_patterns": "--protect",
}
_GROUPS = ("", "generation", "text_options")
_OWN_NAMES = frozenset({"model", "style", "truncation", "format", "raw", "unit", "media_type"})
_INDEX = re.compile(r"\[\d+\]")


def as_flag(field: str) -> str:
    """The option that sets a field of a request ("generation.num_beams"); the field itself if no option does."""
    name = _INDEX.sub("", field)
    group, _, last = name.rpartition(".")
    if name in _FLAGS:
        return _FLAGS[name]
    if group == "generation" or (group in _GROUPS and last in _OWN_NAMES):
        return "--" + last.replace("_", "-")
    return field
