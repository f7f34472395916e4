"""Draws the README's picture, docs/images/alignment.svg, from an answer of the shipped model."""

import io
import re
from pathlib import Path

from own_server import server
from rich.console import Console

import regard
from regard.terminal import print_alignment

TEXT = "Could you tell me where the library is?"
PICTURE = Path(__file__).parent.parent / "images" / "alignment.svg"


def main() -> None:
    console = Console(record=True, width=76, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    with server() as ports, regard.Client(f"127.0.0.1:{ports.grpc}") as client:
        result = client.translate(TEXT, to="de", num_beams=4, attention=["alignment"], words=True)
    console.print(f'$ regard translate "{TEXT}" --to de --beams 4 --attention', highlight=False)
    console.print(result.text, highlight=False)
    print_alignment(console, result, result.best)
    drawing = console.export_svg(title="regard")
    PICTURE.write_text(re.sub(r"@font-face \{.*?\}\s*", "", drawing, flags=re.DOTALL))  # the fonts of a CDN


if __name__ == "__main__":
    main()
