"""What is found wrong with a built site."""

from pathlib import Path

from docs.tools.built import problems


def write(site: Path, name: str, body: str) -> None:
    (site / name).parent.mkdir(parents=True, exist_ok=True)
    (site / name).write_text(f"<html><body>{body}</body></html>")


def test_a_good_site(tmp_path: Path) -> None:
    write(tmp_path, "index.html", '<a href="a/b.html#c">b</a> <a href="a/">a</a> <a href="https://else.example">c</a>')
    write(
        tmp_path, "a/b.html", '<a href="../index.html">up</a> <img src="c%20d.svg"> <a href="#c"></a> <a href="."></a>'
    )
    write(tmp_path, "a/index.html", '<img src="data:image/png;base64,AAAA"> <a href="/a/b.html">b</a>')
    (tmp_path / "a" / "c d.svg").touch()
    assert problems(tmp_path) == []


def test_broken_links(tmp_path: Path) -> None:
    write(tmp_path, "a/b.html", '<a href="c.html">c</a> <img src="../d.svg"> <a href="/e/">e</a>')
    assert problems(tmp_path) == [
        "a/b.html: no file for c.html",
        "a/b.html: no file for ../d.svg",
        "a/b.html: no file for /e/",
    ]


def test_what_comes_from_another_host(tmp_path: Path) -> None:
    write(tmp_path, "a.html", '<script src="https://cdn.example/x.js"></script><link href="//fonts.example/y.css">')
    assert problems(tmp_path) == ["a.html: loads https://cdn.example/x.js", "a.html: loads //fonts.example/y.css"]
