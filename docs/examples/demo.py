"""`make demo`: exports a translator, starts a server, calls it for each task, shows attention, stops.

Also an example of a program that starts a server of its own and calls it.
"""

import importlib.util
import os
import textwrap
from pathlib import Path

from own_server import server
from real_translator import exported_student, show_page, show_paragraph
from rich.console import Console
from short_tasks import show_short_tasks

import regard
from regard.terminal import print_alignment, print_regions

HERE = Path(__file__).parent

EVERYDAY_LIMITS = (
    "trained for a few hours on a CPU: it translates short sentences of everyday life; longer ones, news, "
    "law, medicine and idioms become fluent nonsense"
)
CAPTION_LIMITS = (
    "trained for 35 minutes on 6,000 photographs of people and dogs out of doors: whatever else a picture shows, it "
    "writes a fluent sentence about those; a high risk marks pictures that are unlike its photographs"
)
# None of these sentences is in the training data.
EVERYDAY = {
    "de": ("Could you tell me where the library is?", "My neighbour bought a new bicycle last week."),
    "fr": ("I would like a cup of tea without sugar, please.",),
    "es": ("The children are playing in the garden behind the house.",),
}
DESCRIPTIONS = (
    "A man in an orange jacket is climbing a snowy mountain.",
    "Two dogs are running along the beach with a yellow ball.",
)
TEXTS = {"subject": "email.txt", "headline": "news.txt"}
NEXT = """\
  [bold]make serve[/bold]                        the same server, until Ctrl+C; then open http://localhost:8080
  [bold].venv/bin/regard translate "Where is the station?" --to de --attention[/bold]
  [bold].venv/bin/regard translate "Where is the station?" --to fr --html attention.html[/bold]
  docs/quickstart.md                Python, notebook, Node, Go, curl, cluster; a translator from your own pairs
  docs/exporting.md                 a translator for real use, or a model of your own
  docs/notebooks                    heads, flow, your own checkpoint, 5,000 sentences
"""


def show_translation(console: Console, client: regard.Client, text: str, language: str, model: str) -> None:
    """Translates a sentence and prints the translation, its alignment by words, and its timings."""
    result = client.translate(text, to=language, model=model, attention=["alignment"], words=True)
    _print(console, text, language, result)
    print_alignment(console, result, result.best)
    _print_timings(console, result)


def show_caption(console: Console, client: regard.Client, photograph: Path) -> str:
    """Captions a photograph, and prints for each word where in the picture the model looked; returns the caption."""
    result = client.caption(photograph, attention=["alignment"], words=True)
    _print(console, photograph.name, "caption", result)
    print_regions(console, result, result.best)
    _print_timings(console, result)
    return result.text


def show_summary(console: Console, client: regard.Client, text: str, style: str) -> None:
    """Summarizes a text and prints the summary, which of its words were copied, and from where."""
    result = client.summarize(text, style, truncation="truncate")
    _print(console, textwrap.shorten(text, 300, placeholder=" ..."), style, result)
    copies = [
        f"{result.best.text[token.span.start : token.span.end]} (token {token.copied_from})"
        for token in result.best.tokens
        if token.copied and token.span
    ]
    console.print(f"copied from the text: {', '.join(copies) or 'nothing'}", highlight=False)
    _print_timings(console, result)


def _print(console: Console, source: str, what: str, result: regard.Result) -> None:
    console.print(f"\n[bold]{source}[/bold]\n{what}: [bold green]{result.text}[/bold green]", highlight=False)
    if result.risk == "high":
        reasons = "; ".join(dict.fromkeys(reason.message for reason in result.risk_reasons))
        console.print(f"[bold yellow]risk high[/bold yellow]: {reasons}", highlight=False)


def _print_timings(console: Console, result: regard.Result) -> None:
    timings = result.timings
    console.print(
        f"{result.model} {result.model_version}, score {result.best.score:.2f}: "
        f"queue {timings.queue_ms:.1f} ms, encode {timings.encode_ms:.1f} ms, decode {timings.decode_ms:.1f} ms",
        style="dim",
        highlight=False,
    )


def show_next(console: Console) -> None:
    """Prints what a reader may do next."""
    console.rule("what next")
    console.print(NEXT, highlight=False)


def translate(console: Console, client: regard.Client) -> None:
    console.rule("everyday sentences (model everyday)")
    console.print(EVERYDAY_LIMITS, style="dim", highlight=False)
    for language, texts in EVERYDAY.items():
        for text in texts:
            show_translation(console, client, text, language, "everyday")
    console.rule("descriptions of photographs (model multi30k)")
    for text in DESCRIPTIONS:
        show_translation(console, client, text, "de", "multi30k")


def caption(console: Console, client: regard.Client) -> None:
    """Captions every photograph, and translates the caption of the first one."""
    console.rule("photographs in words, and where each word looked")
    console.print(CAPTION_LIMITS, style="dim", highlight=False)
    captions = [show_caption(console, client, path) for path in sorted((HERE / "photos").glob("*.jpg"))]
    console.rule("a caption, translated")
    show_translation(console, client, captions[0], "de", "multi30k")


def summarize(console: Console, client: regard.Client) -> None:
    console.rule("an e-mail's subject, a story's headline")
    for style, file in TEXTS.items():
        show_summary(console, client, (HERE / "texts" / file).read_text(encoding="utf-8"), style)


def _model_directories(student: Path | None) -> list[str]:
    """The server's arguments: the shipped models, which it serves without any, and the student."""
    if student is None:
        return []
    zoo = importlib.util.find_spec("regard_zoo")
    folders = [*(zoo.submodule_search_locations or () if zoo else ()), str(student)]
    return [f"--model-directories={','.join(folders)}"]


def main() -> None:
    columns = None if os.isatty(1) else 110
    console = Console(width=columns)
    with (
        exported_student(console) as student,
        server(_model_directories(student)) as ports,
        regard.Client(f"127.0.0.1:{ports.grpc}") as client,
    ):
        if student is not None:
            show_paragraph(console, client)
            show_page(console, client)
        translate(console, client)
        caption(console, client)
        summarize(console, client)
        show_short_tasks(console, client)
    show_next(console)


if __name__ == "__main__":
    main()
