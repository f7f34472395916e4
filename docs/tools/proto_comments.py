"""The comments of a `.proto` as JSON, for the OpenAPI document: a descriptor at run time has none.

python -m docs.tools.proto_comments FILE
"""

import json
import sys
from pathlib import Path
from typing import Any

from docs.tools.proto_reference import SYNTAX, compile_proto

PROTO = Path("proto"), "regard/v1/regard.proto"
FILE = ""  # the key of the comment of the file itself


def comments(folder: Path, name: str) -> dict[str, str]:
    """The comments by the elements' names ("GenerationConfig.num_beams"): a line a paragraph, or item with "- "."""
    file = compile_proto(folder, name)
    at = {tuple(location.path): location.leading_comments for location in file.source_code_info.location}
    found = {FILE: at[SYNTAX]}
    elements: Any
    for number, elements, parts in (
        (4, file.message_type, "field"),
        (5, file.enum_type, "value"),
        (6, file.service, "method"),
    ):
        for index, element in enumerate(elements):
            found[element.name] = at[number, index]
            for inner, part in enumerate(getattr(element, parts)):
                found[f"{element.name}.{part.name}"] = at[number, index, 2, inner]
    return {key: _joined(text) for key, text in found.items()}


def _joined(comment: str) -> str:
    """A comment without its line breaks, but for those between paragraphs and items."""
    blocks: list[str] = []
    begins = True
    for line in map(str.strip, comment.splitlines()):
        if begins or line.startswith("- "):
            blocks.append(line)
        elif line:
            blocks[-1] += f" {line}"
        begins = not line
    return "\n".join(block for block in blocks if block)


if __name__ == "__main__":
    Path(sys.argv[1]).parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(comments(*PROTO), ensure_ascii=False, indent=1, sort_keys=True)
    Path(sys.argv[1]).write_text(text + "\n", encoding="utf-8")
