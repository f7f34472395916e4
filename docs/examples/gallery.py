"""Makes the pictures of docs/gallery.md from what the shipped models answer now: `python docs/examples/gallery.py`.

With Node, Chromium and `make browser` it also takes the pictures of the playground.
"""

import shutil
import subprocess
from pathlib import Path

import matplotlib
from own_server import server

import regard

DOCS = Path(__file__).parent.parent
IMAGES = DOCS / "images"
PHOTO = DOCS / "examples" / "photos" / "temple.jpg"
BROWSER = DOCS.parent / "tests" / "browser"

UNDATED = {"Date": None}
SENTENCE = "Could you tell me where the library is?"
LONG = (
    "When we came home late in the evening, the children were already asleep, so we sat in the kitchen for a while,"
    " drank a cup of tea and talked about the journey."
)


def draw_translations(client: regard.Client) -> None:
    result = client.translate(SENTENCE, to="de", num_beams=4, attention=["alignment", "cross"], words=True)
    for theme in ("light", "dark"):
        result.plot(theme=theme).savefig(IMAGES / f"heatmap-{theme}.svg", metadata=UNDATED)
        result.plot("flow", theme=theme).savefig(IMAGES / f"flow-{theme}.svg", metadata=UNDATED)
    result.plot("heads", kind="cross").savefig(IMAGES / "heads.png", dpi=110)
    result.save_plot(IMAGES / "words.gif")
    long = client.translate(LONG, to="fr", attention=True, words=True)
    long.plot("flow").savefig(IMAGES / "flow-long.svg", metadata=UNDATED)


def draw_captions(client: regard.Client) -> None:
    result = client.caption(PHOTO, attention=["alignment", "cross"], words=True)
    print(result.text)
    result.plot(picture=PHOTO).savefig(IMAGES / "caption.png", dpi=110)
    result.save_plot(IMAGES / "caption.webp", picture=PHOTO, theme="dark")


def take_screenshots(url: str) -> None:
    chromium, node = shutil.which("chromium"), shutil.which("node")
    if not (chromium and node and (BROWSER / "node_modules").is_dir()):
        print("the playground's pictures stay as they are: Chromium, Node or `make browser` is missing")
        return
    environment = {"CHROMIUM": chromium, "SCREENSHOTS": str(IMAGES), "SERVER_URL": url, "PICTURE": str(PHOTO)}
    subprocess.run([node, str(BROWSER / "gallery.mjs")], env=environment, check=True)


def main() -> None:
    matplotlib.rcParams["svg.hashsalt"] = "gallery"  # the same drawing is the same file
    with server() as ports:
        with regard.Client(f"127.0.0.1:{ports.grpc}") as client:
            draw_translations(client)
            draw_captions(client)
        take_screenshots(f"http://127.0.0.1:{ports.http}/")


if __name__ == "__main__":
    main()
