"""One HTML file that shows a result's attention. It loads nothing else; the base install can write it."""

import base64
import hashlib
import html
from os import PathLike
from pathlib import Path

from regard.html.page_data import split_data
from regard.html.script import joined_script, read_asset
from regard.values.outputs import Output
from regard.wire.images import ImageLike, read_image

# A plain script runs before the browser reads the large maps behind it; a module would wait for the end of the page.
_SCRIPT = '"use strict";\n(async () => {{\n{}}})();\n'
_MAP_DATA = '<script type="text/plain" id="{}">{}</script>\n'

_SIGNATURES = ((b"\xff\xd8\xff", "jpeg"), (b"\x89PNG\r\n", "png"), (b"RIFF", "webp"))


def document(
    result: Output, *, picture: ImageLike | None = None, title: str | None = None, theme: str | None = None
) -> str:
    """The page of a result, in ASCII: other characters are escaped, so that browsers parse large pages faster.

    Args:
        result: the result to show.
        picture: the one that was captioned; its file is embedded unchanged. None is the one that the call sent.
        title: the page's title; None is "Attention".
        theme: "light" or "dark"; None follows the reader's system. The page has a switch.

    Raises:
        ValueError: the theme is unknown, or the picture is not a JPEG, PNG or WebP file.
    """
    if theme not in (None, "light", "dark"):
        raise ValueError(f"theme must be 'light', 'dark' or None; it is {theme!r}")
    style, script = read_asset("view.css"), _SCRIPT.format(joined_script())
    shown = result.picture if picture is None else picture
    data = split_data(result, None if shown is None else _data_url(read_image(shown)))
    return read_asset("page.template").format(
        theme=f' data-theme="{theme}"' if theme else "",
        policy=_policy(style, script),
        title=_escaped(title or "Attention"),
        style=style,
        text=_escaped(result.text),
        data=data.json,
        script=script,
        maps="".join(_MAP_DATA.format(*each) for each in data.maps.items()),
    )


def save(
    result: Output,
    path: str | PathLike[str],
    *,
    picture: ImageLike | None = None,
    title: str | None = None,
    theme: str | None = None,
) -> None:
    """Writes the page to a file. Arguments are those of `document`."""
    Path(path).write_text(document(result, picture=picture, title=title, theme=theme), encoding="utf-8")


def frame(result: Output, height: int = 720) -> str:
    """The page in an `iframe`, as a notebook shows it; the height is in pixels."""
    page = html.escape(document(result), quote=True)
    # The sandbox runs the page's scripts, but gives them no access to the notebook.
    return (
        f'<iframe title="Attention" srcdoc="{page}" sandbox="allow-scripts" width="100%" height="{height}"'
        ' style="border: 0"></iframe>'
    )


def _escaped(text: str) -> str:
    return html.escape(text).encode("ascii", "xmlcharrefreplace").decode()


def _policy(style: str, script: str) -> str:
    """A Content-Security-Policy that allows only this style, this script, and embedded pictures."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_hash(style)}'",
            f"script-src '{_hash(script)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _data_url(file: bytes) -> str:
    kind = next((kind for start, kind in _SIGNATURES if file.startswith(start)), None)
    if kind is None:
        raise ValueError("the picture is not a JPEG, PNG or WebP file")
    return f"data:image/{kind};base64,{base64.b64encode(file).decode()}"
