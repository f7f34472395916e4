"""The self-contained page: its data, its Content-Security-Policy, and hostile text."""

import base64
import hashlib
import json
import re
import struct
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from regard.calls.results import Result
from regard.html import document, frame, script
from regard.v1 import regard_pb2 as pb
from tests.unit.regard.sample_results import caption_result, text_result

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)><!--"
ASSETS = Path(script.__file__).parent / "view"


class Page(HTMLParser):
    """A parsed page: its elements with their attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.is_open = False
        self.elements: list[tuple[str, dict[str, str | None], str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), ""))
        self.is_open = True

    def handle_endtag(self, tag: str) -> None:
        self.is_open = False

    def handle_data(self, data: str) -> None:
        if self.is_open:
            tag, attributes, text = self.elements[-1]
            self.elements[-1] = (tag, attributes, text + data)

    def all(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        return [(attributes, text) for name, attributes, text in self.elements if name == tag]


@pytest.fixture(scope="module")
def result() -> Result:
    return text_result(["the", "cat"], ["die", "Katze"])


def policy_of(page: Page) -> dict[str, str]:
    [policy] = [a["content"] for a, _ in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    return dict(part.strip().split(" ", 1) for part in policy.split(";"))


def test_the_page_allows_its_own_style_and_script_and_nothing_else(result: Result) -> None:
    page = Page(document(result))
    [(_, style)] = page.all("style")
    [(_, script)] = [(a, text) for a, text in page.all("script") if "type" not in a]

    def source(content: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"

    assert policy_of(page) == {
        "default-src": "'none'",
        "style-src": source(style),
        "script-src": source(script),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_the_page_loads_nothing(result: Result) -> None:
    page = document(result)
    assert not re.search(r"""(?:src|href|url)\s*[=(]\s*["']?(?!data:)(?:https?:)?//""", page)
    assert not re.search(r"\bfetch\(|XMLHttpRequest|WebSocket|\bimport\b *[({'\"]", page)
    assert {tag for tag, _, _ in Page(page).elements} & {"link", "iframe", "object", "embed"} == set()


def test_the_page_without_its_data_is_small(result: Result) -> None:
    page = document(result)
    data = next(text for a, text in Page(page).all("script") if a.get("id") == "data")
    assert len(page.encode()) - len(data.encode()) < 100_000


def test_the_data_is_the_result(result: Result) -> None:
    data = next(text for a, text in Page(document(result)).all("script") if a.get("id") == "data")
    assert Result.from_json(json.loads(data)["result"]).message == result.message


def test_large_maps_stand_behind_the_script() -> None:
    """All but the first that the page shows, which the script must find when it runs."""
    result = text_result([f"s{number}" for number in range(90)], [f"t{number}" for number in range(90)])
    scripts = Page(document(result)).all("script")
    data = json.loads(next(text for a, text in scripts if a.get("id") == "data"))
    late = {a["id"]: text for a, text in scripts[2:]}
    assert [a.get("type") for a, _ in scripts] == ["application/json", None, *["text/plain"] * len(late)]
    maps = [*data["result"]["source_attention"], *data["result"]["hypotheses"][0]["attention"]]
    early = [each["kind"].removeprefix("ATTENTION_KIND_") for each in maps if "data" in each]
    assert early == ["ALIGNMENT", "ROLLOUT"]
    assert len(late) == len(maps) - len(early) > 0
    for each in maps:
        if "numbers" in each:
            each["data"] = late.pop(each.pop("numbers"))
    assert late == {}
    assert Result.from_json(data["result"]).message == result.message


def test_the_page_is_ascii_for_text_of_any_script() -> None:
    """One character beyond ASCII makes browsers store a large page in twice the memory."""
    words = ["\u05e9\u05dc\u05d5\u05dd", "\u6587\u5b57", "\U0001f600"]
    foreign = text_result(words, words)
    page = document(foreign, title=" ".join(words))
    assert page.isascii()
    parsed = Page(page)
    assert parsed.all("title") == [({}, " ".join(words))]
    data = next(text for a, text in parsed.all("script") if a.get("id") == "data")
    assert Result.from_json(json.loads(data)["result"]).message == foreign.message


def test_hostile_text_is_text() -> None:
    hostile = text_result([HOSTILE, "b"], [HOSTILE, "\u2028"])
    plain = text_result(["a", "b"], ["c", "d"])
    tags = [tag for tag, _, _ in Page(document(hostile, title=HOSTILE)).elements]
    assert tags == [tag for tag, _, _ in Page(document(plain)).elements]
    [(_, attributes, _)] = Page(frame(hostile)).elements
    assert attributes["srcdoc"] == document(hostile)


def test_a_notebook_shows_a_frame_that_cannot_access_it(result: Result) -> None:
    [(tag, attributes, _)] = Page(result._repr_html_()).elements
    assert tag == "iframe"
    assert attributes["sandbox"] == "allow-scripts"
    assert attributes["srcdoc"] == document(result)


def test_a_picture_is_embedded_unchanged(tmp_path: Path) -> None:
    grid = pb.ImageGrid(rows=1, columns=2, image_width=4, image_height=2, box=pb.Box(right=4, bottom=2))
    caption = caption_result(["a", "cat"], grid)
    for kind in ("png", "jpeg", "webp"):
        file = BytesIO()
        Image.new("RGB", (4, 2)).save(file, kind)
        caption.save_html(tmp_path / "page.html", picture=file.getvalue(), theme="dark")
        page = (tmp_path / "page.html").read_text(encoding="utf-8")
        data = json.loads(next(text for a, text in Page(page).all("script") if a.get("id") == "data"))
        assert data["picture"] == f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"
        assert '<html lang="en" data-theme="dark">' in page
    with pytest.raises(ValueError, match="JPEG, PNG or WebP"):
        document(caption, picture=b"GIF89a" + struct.pack("8x"))
    with pytest.raises(ValueError, match="'mauve'"):
        document(caption, theme="mauve")


def test_modules_follow_the_rules_of_joining() -> None:
    names: list[str] = []
    for path in sorted(ASSETS.glob("*.js")):
        source = path.read_text(encoding="utf-8")
        imports = re.findall(r"^import .*", source, re.MULTILINE)
        assert len(imports) == len(script._IMPORT.findall(source)), path.name
        assert max(source) <= "\uffff", path.name  # one \uXXXX escape each
        assert not re.search(r"^export (default|\{|let|var|\*)", source, re.MULTILINE), path.name
        names += re.findall(r"^(?:export )?(?:async )?(?:function|class|const|let) (\w+)", source, re.MULTILINE)
    assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)


def test_the_joined_script_has_each_module_once_after_those_it_imports() -> None:
    joined = script.joined_script()
    order = re.findall(r"^// ([\w-]+\.js)$", joined, re.MULTILINE)
    assert sorted(order) == sorted(path.name for path in ASSETS.glob("*.js"))
    for name in order:
        for imported in script._IMPORT.findall(script.read_asset(name)):
            assert order.index(imported) < order.index(name)
    assert not re.search(r"^(?:import|export)\b", joined, re.MULTILINE)
    assert "</script" not in joined


def test_the_ramps_are_those_of_the_plots() -> None:
    from regard.plots.theme import DARK, LIGHT

    ramps = re.findall(r"^  (light|dark): \[(.*)\]", script.read_asset("theme.js"), re.MULTILINE)
    assert {name: tuple(json.loads(f"[{colours}]")) for name, colours in ramps} == {
        "light": LIGHT.ramp,
        "dark": DARK.ramp,
    }
