"""`python -m benchmarks.documents.files --pages DIR --messages DIR`: real files through a server.

The pages are those of Debian's package libreoffice-help-en-us, unpacked with `dpkg-deb -x`; the messages are the .po
files of Django's wheel, unpacked. A page has kept its skeleton if another parser finds the same elements in the same
order, each with its attributes; inline elements may move within their block. Messages have kept theirs if another
reader finds the same entries, and if `msgfmt --check` accepts the file with its fuzzy translations.
"""

import random
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import click

from regard import Client, DocumentStarted, TranslatedDocument

_READ_ATTRIBUTES = frozenset("alt title placeholder aria-label content".split())
_INLINE = frozenset(
    "a abbr b bdi bdo cite code data dfn em font i img kbd mark q s samp small span strong sub sup u".split()
)


@dataclass(frozen=True)
class FilesScore:
    """What became of files of a kind.

    Attributes:
        num_kept: files whose skeleton is the same.
        num_untranslated: texts that stayed as they were, because the output could not be taken over.
        faults: names of files that lost something, and what.
    """

    num_files: int
    num_units: int
    num_kept: int
    num_untranslated: int
    faults: tuple[str, ...]


class _Skeleton(HTMLParser):
    """The blocks of a page in order, each with the inline elements that follow it in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks: list[tuple[str, Counter[str]]] = [("", Counter())]

    def _add(self, tag: str, text: str) -> None:
        if tag in _INLINE:
            self.blocks[-1][1][text] += 1
        else:
            self.blocks.append((text, Counter()))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kept = sorted((name, value or "") for name, value in attrs if name not in _READ_ATTRIBUTES)
        self._add(tag, f"<{tag} {kept}>")

    def handle_endtag(self, tag: str) -> None:
        self._add(tag, f"</{tag}>")

    def handle_comment(self, data: str) -> None:
        self.blocks.append((f"<!--{data}-->", Counter()))


def page_fault(before: str, after: str) -> str:
    """Returns how the skeletons of two pages differ; "" if they do not."""
    skeletons = []
    for page in (before, after):
        parser = _Skeleton()
        parser.feed(page)
        parser.close()
        skeletons.append(parser.blocks)
    if len(skeletons[0]) != len(skeletons[1]):
        return f"{len(skeletons[1])} blocks instead of {len(skeletons[0])}"
    differing = next((pair for pair in zip(*skeletons, strict=True) if pair[0] != pair[1]), None)
    return "" if differing is None else f"{differing[1]} instead of {differing[0]}"


def messages_fault(before: str, after: str) -> str:
    """Returns how two PO files differ beside their translations, or what msgfmt objects to; "" if nothing."""
    import polib  # of the extra 'dev'

    keys = [[(each.msgctxt, each.msgid, each.msgid_plural) for each in polib.pofile(text)] for text in (before, after)]
    if keys[0] != keys[1]:
        return "other entries"
    if not (_msgfmt_fault(after) and not _msgfmt_fault(before)):
        return ""
    return _msgfmt_fault(after)


def _msgfmt_fault(text: str) -> str:
    program = shutil.which("msgfmt")
    if program is None:
        raise click.ClickException("msgfmt, of GNU gettext, is not installed")
    with tempfile.NamedTemporaryFile(suffix=".po") as file:
        file.write(text.encode())
        file.flush()
        command = [program, "--check", "--use-fuzzy", "--output-file=/dev/null", file.name]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
    return run.stderr if run.returncode else ""


@dataclass
class _Tally:
    num_units: int = 0
    num_untranslated: int = 0
    faults: list[str] = field(default_factory=list)


def measure(
    client: Client, files: Sequence[Path], to: str, model: str, fault_of: Callable[[str, str], str]
) -> FilesScore:
    """Translates files and compares each with its translation."""
    tally = _Tally()
    for file in files:
        for event in client.stream_translate_document(file, to, model=model, replaces_existing=True):
            if isinstance(event, DocumentStarted):
                tally.num_units += event.num_units
            elif isinstance(event, TranslatedDocument):
                found = event
        tally.num_untranslated += sum(warning.reason == "document" for warning in found.warnings)
        if fault := fault_of(file.read_text(encoding="utf-8"), found.data.decode()):
            tally.faults.append(f"{file.name}: {fault}")
    return FilesScore(
        len(files), tally.num_units, len(files) - len(tally.faults), tally.num_untranslated, tuple(tally.faults)
    )


_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command(context_settings={"show_default": True})
@click.option("--pages", type=_FOLDER, required=True, help="Folder of HTML pages.")
@click.option("--messages", type=_FOLDER, required=True, help="Folder of PO files, by LANGUAGE/LC_MESSAGES.")
@click.option("--server", metavar="HOST:PORT", required=True)
@click.option("--model", default="everyday")
@click.option("--to", "languages", multiple=True, default=("de", "fr"))
@click.option("--num-pages", default=50)
@click.option("--num-messages", default=20)
@click.option("--seed", default=7, help="Chooses the pages.")
def main(
    pages: Path,
    messages: Path,
    server: str,
    model: str,
    languages: Sequence[str],
    num_pages: int,
    num_messages: int,
    seed: int,
) -> None:
    """Prints a row for each kind of file and language, and what was lost."""
    chosen = random.Random(seed).sample(sorted(pages.rglob("*.html")), num_pages)
    share = -(-num_messages // len(languages))
    with Client(server) as client:
        _print("HTML", languages[0], measure(client, chosen, languages[0], model, page_fault))
        for language in languages:
            found = sorted(messages.rglob(f"{language}/LC_MESSAGES/*.po"))[:share]
            _print("PO", language, measure(client, found, language, model, messages_fault))


def _print(kind: str, language: str, scored: FilesScore) -> None:
    kept = f"{scored.num_kept} of {scored.num_files}"
    print(f"| {kind} | {language} | {kept} | {scored.num_units} | {scored.num_untranslated} |")
    for fault in scored.faults:
        print(f"    {fault}")


if __name__ == "__main__":
    main()
