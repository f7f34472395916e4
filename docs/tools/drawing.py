"""Small diagrams as SVG: boxes with text, frames around them, arrows between them; readable on light and dark pages."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

HEAD = """
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto">
<path class="head" d="M0,0 L8,4 L0,8 z"/></marker></defs>
""".strip()

Side = Literal["left", "right", "top", "bottom"]

TITLE_PX, LINE_PX = 14, 12
LEADING = 1.4
EM, TITLE_EM = 0.54, 0.63  # width of an average character, in its font's size, of a wide font
PADDING = 10

STYLE = """
text { font: 12px system-ui, sans-serif; fill: var(--soft) }
.title { font-size: 14px; font-weight: 600; fill: var(--ink) }
.code { font-family: ui-monospace, monospace; font-size: 11.5px }
.box { fill: var(--box); stroke: var(--line) }
.data { fill: var(--data); stroke: var(--line) }
.frame { fill: none; stroke: var(--line); stroke-dasharray: 5 4 }
.arrow { fill: none; stroke: var(--accent); stroke-width: 1.6; marker-end: url(#head) }
.optional { stroke-dasharray: 4 4 }
.head { fill: var(--accent) }
.paper { fill: var(--paper) }
svg { --paper: #ffffff; --box: #eef2fb; --data: #f8f1e3; --line: #8a94a6; --ink: #1c2230; --soft: #4a5266;
      --accent: #3f51b5 }
@media (prefers-color-scheme: dark) {
  svg { --paper: #1e2129; --box: #2a3040; --data: #3a3428; --line: #7b8496; --ink: #eef0f5; --soft: #c0c6d4;
        --accent: #9fa8ff }
}
""".strip()


@dataclass(frozen=True)
class Box:
    """A rectangle with a title and lines of text.

    Attributes:
        x, y, width, height: in pixels, from the top left corner of the picture.
        lines: one that is in backticks is set as code.
        kind: "box" for what computes, "data" for what is stored, "frame" for a dashed border around other boxes.
    """

    x: float
    y: float
    width: float
    height: float
    title: str
    lines: Sequence[str] = ()
    kind: Literal["box", "data", "frame"] = "box"

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def least_width(self) -> float:
        """What the longest line needs, in pixels, with room at both sides."""
        widths = [len(self.title) * TITLE_PX * TITLE_EM, *(len(line) * LINE_PX * EM for line in self.lines)]
        return max(widths) + 2 * PADDING

    @property
    def least_height(self) -> float:
        """What the text needs, in pixels, with room above and below."""
        return LEADING * (TITLE_PX + len(self.lines) * LINE_PX) + PADDING

    def at(self, side: Side, part: float = 0.5) -> tuple[float, float]:
        """A point of the border: `part` of the way along a side, from its top or left end."""
        if side in ("left", "right"):
            return self.x + (self.width if side == "right" else 0), self.y + part * self.height
        return self.x + part * self.width, self.y + (self.height if side == "bottom" else 0)

    def svg(self) -> Iterator[str]:
        corners = "" if self.kind == "data" else ' rx="6"'
        place = f'x="{self.x:g}" y="{self.y:g}" width="{self.width:g}" height="{self.height:g}"'
        yield f'<rect class="{self.kind}" {place}{corners}/>'
        left, y = self.x + PADDING, self.y + PADDING / 2 + TITLE_PX
        yield f'<text class="title" x="{left:g}" y="{y:g}">{escape(self.title)}</text>'
        for line in self.lines:
            y += LEADING * LINE_PX
            kind = ' class="code"' if line.startswith("`") else ""
            yield f'<text{kind} x="{left:g}" y="{y:g}">{escape(line.strip("`"))}</text>'


@dataclass(frozen=True)
class Arrow:
    """A line through points, with a head at its end.

    Attributes:
        label: text beside the line, at `label_at`, whose lowest left corner that is.
        is_optional: drawn dashed.
    """

    points: Sequence[tuple[float, float]]
    label: str = ""
    label_at: tuple[float, float] = (0, 0)
    is_optional: bool = False

    def svg(self) -> Iterator[str]:
        kind = "arrow optional" if self.is_optional else "arrow"
        yield f'<polyline class="{kind}" points="{" ".join(f"{x:g},{y:g}" for x, y in self.points)}"/>'
        if self.label:
            x, y = self.label_at
            yield f'<text x="{x:g}" y="{y:g}">{escape(self.label)}</text>'


@dataclass(frozen=True)
class Diagram:
    """A picture.

    Attributes:
        title: what it shows, for readers who cannot see it.
    """

    title: str
    width: int
    height: int
    boxes: Sequence[Box]
    arrows: Sequence[Arrow]

    def svg(self) -> str:
        body = [line for box in self.boxes for line in box.svg()]
        body += [line for arrow in self.arrows for line in arrow.svg()]
        view = f'viewBox="0 0 {self.width} {self.height}" width="{self.width}" height="{self.height}"'
        head = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {view} role="img">',
            f"<title>{escape(self.title)}</title>",
            f"<style>\n{STYLE}\n</style>",
            HEAD,
            '<rect class="paper" width="100%" height="100%"/>',
        ]
        return "\n".join([*head, *body, "</svg>"]) + "\n"
