"""Makes the pictures of docs/gallery.md from answers of the shipped models: `python docs/examples/gallery.py`.

With Node, Chromium and `make browser` it also takes the pictures of the page and of the playground. Scripts that
matplotlib's own font lacks are drawn in the system's fonts (Debian: fonts-noto-cjk, fonts-symbola).
"""

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib
from own_server import Ports, server
from rich.console import Console
from rich.text import Text

import regard
from regard.plots import plot_attention_flow, plot_attention_weights, plot_caption, plot_detections

DOCS = Path(__file__).parent.parent
IMAGES = DOCS / "images"
PHOTO = DOCS / "examples" / "photos" / "temple.jpg"
LAMPS, TRIANGLE = (DOCS / "examples" / "drawings" / name for name in ("lamps.png", "triangle.png"))
QUESTION = "what color is the triangle?"
EMAIL = (DOCS / "examples" / "texts" / "email.txt").read_text(encoding="utf-8")
PAGE = DOCS / "examples" / "pages" / "garden.html"
BROWSER = DOCS.parent / "tests" / "browser"

UNDATED = {"Date": None}
SENTENCE = "Could you tell me where the library is?"
LONG = (
    "When we came home late in the evening, the children were already asleep, so we sat in the kitchen for a while,"
    " drank a cup of tea and talked about the journey."
)
UNUSUAL = "My brother plays the piano. The quantum annealer sublimates in the hangar. See you tomorrow!"
# The shipped models read none of these scripts, so this map was written by hand.
CHINESE = ["我", "在", "图书馆", "读", "书", "😀"]
HEBREW = ["אני", "קורא", "ספר", "בספרייה", "😀"]
WEIGHTS = [
    [0.90, 0.02, 0.02, 0.02, 0.02, 0.02],
    [0.05, 0.15, 0.02, 0.70, 0.06, 0.02],
    [0.01, 0.01, 0.06, 0.20, 0.70, 0.02],
    [0.01, 0.37, 0.57, 0.02, 0.01, 0.02],
    [0.02, 0.02, 0.02, 0.02, 0.02, 0.90],
]


def draw_translations(client: regard.Client) -> None:
    kinds = ["alignment", "cross", "rollout", "encoder_self", "decoder_self"]
    result = client.translate(SENTENCE, to="de", num_beams=4, attention=kinds, words=True)
    for theme in ("light", "dark"):
        result.plot(theme=theme).savefig(IMAGES / f"heatmap-{theme}.svg", metadata=UNDATED)
        result.plot("flow", theme=theme).savefig(IMAGES / f"flow-{theme}.svg", metadata=UNDATED)
    result.plot("heads", kind="cross").savefig(IMAGES / "heads.png", dpi=110)
    for kind in ("rollout", "encoder_self", "decoder_self"):
        result.plot(kind=kind, theme="dark").savefig(IMAGES / f"{kind}.png", dpi=80)
    result.save_plot(IMAGES / "words.gif")
    long = client.translate(LONG, to="fr", attention=True, words=True)
    long.plot("flow").savefig(IMAGES / "flow-long.svg", metadata=UNDATED)


def draw_terms(client: regard.Client) -> None:
    terms = {"library": "Bücherei", "tell": "verraten"}
    result = client.translate(SENTENCE, to="de", num_beams=4, terms=terms, attention=True, words=True)
    print(result.text)
    result.plot().savefig(IMAGES / "terms.svg", metadata=UNDATED)


def draw_scripts() -> None:
    plot_attention_weights(WEIGHTS, CHINESE, HEBREW).savefig(IMAGES / "scripts.png", dpi=110)
    plot_attention_flow(WEIGHTS, CHINESE, HEBREW, theme="dark").savefig(IMAGES / "scripts-flow.png", dpi=110)


def draw_summaries(client: regard.Client) -> None:
    result = client.summarize(EMAIL, attention=True, words=True)
    print(result.text)
    result.plot().savefig(IMAGES / "summary.png", dpi=110)


def draw_captions(client: regard.Client) -> None:
    result = client.caption(PHOTO, attention=["alignment", "cross"], words=True)
    print(result.text)
    result.plot(picture=PHOTO).savefig(IMAGES / "caption.png", dpi=110)
    result.save_plot(IMAGES / "caption.webp", picture=PHOTO, theme="dark")


def draw_objects(client: regard.Client) -> None:
    result = client.detect(LAMPS, model="lamps", attention="alignment")
    plot_detections(LAMPS, result).savefig(IMAGES / "detections.png", dpi=110)


def draw_answer(client: regard.Client) -> None:
    result = client.answer(TRIANGLE, QUESTION, model="shapes", attention="encoder_self", words=True)
    print(result.answer)
    attention, grid = result.input.find_map("encoder_self"), result.input.image_grid
    if attention is None or grid is None:
        raise SystemExit("the answerer has no map over the picture")
    words = [word.text for word in result.input.source_words]
    to_picture = attention.values[0].mean(axis=0)[: len(words)]  # the first layer attends to the other side
    plot_caption(TRIANGLE, to_picture, words, grid).savefig(IMAGES / "question.png", dpi=110)


def draw_terminal(target: str) -> None:
    """Draws what the command prints on a terminal while it streams."""
    words = ["regard", "translate", SENTENCE, "--to", "de", "--stream", "--attention"]
    environment = os.environ | {"FORCE_COLOR": "1", "COLORTERM": "truecolor", "TERM": "xterm-256color", "COLUMNS": "76"}
    environment.pop("NO_COLOR", None)
    command = [sys.executable, "-m", *words, "--server", target]
    printed = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    console = Console(record=True, width=76, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(f'$ regard translate "{SENTENCE}" --to de --stream --attention', highlight=False)
    console.print(Text.from_ansi(printed))
    drawing = console.export_svg(title="regard", unique_id="stream")
    drawing = re.sub(r"@font-face \{.*?\}\s*", "", drawing, flags=re.DOTALL)  # the fonts of a CDN
    (IMAGES / "stream.svg").write_text(drawing, encoding="utf-8")


def take_screenshots(client: regard.Client, url: str) -> None:
    chromium, node = shutil.which("chromium"), shutil.which("node")
    if not (chromium and node and (BROWSER / "node_modules").is_dir()):
        print("the pages' pictures stay as they are: Chromium, Node or `make browser` is missing")
        return
    beams = client.translate(SENTENCE, to="de", num_beams=4, num_return_sequences=3, attention=True, words=True)
    with tempfile.TemporaryDirectory() as pages:
        beams.save_html(Path(pages) / "beams.html", title="Three beams")
        unsure = client.translate(UNUSUAL, to="de", confidence=True, attention=True, words=True)
        print(unsure.text)
        unsure.save_html(Path(pages) / "confidence.html", title="How sure the model is")
        variables = {"CHROMIUM": chromium, "SCREENSHOTS": str(IMAGES), "PAGES": pages, "SERVER_URL": url}
        variables |= {"PICTURE": str(PHOTO), "EMAIL": EMAIL}
        subprocess.run([node, str(BROWSER / "gallery.mjs")], env=os.environ | variables, check=True)


def translate_page(client: regard.Client) -> None:
    client.translate_document(PAGE, "de", num_beams=4).save(PAGE.with_suffix(".de.html"))


def draw(ports: Ports) -> None:
    target = f"127.0.0.1:{ports.grpc}"
    with regard.Client(target) as client:
        translate_page(client)
        draw_translations(client)
        draw_terms(client)
        draw_scripts()
        draw_summaries(client)
        draw_captions(client)
        draw_objects(client)
        draw_answer(client)
        draw_terminal(target)
        take_screenshots(client, f"http://127.0.0.1:{ports.http}/")


def main() -> None:
    matplotlib.rcParams["svg.hashsalt"] = "gallery"  # the same drawing is the same file
    with server() as ports:
        draw(ports)


if __name__ == "__main__":
    main()
