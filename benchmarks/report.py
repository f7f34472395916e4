"""`python -m benchmarks.report`: writes the tables of documents from the files in results/.

A block of a document from `<!-- results: NAME -->` to `<!-- end -->` holds what results/NAME.json says.
"""

import json
import re
from pathlib import Path

import click

from benchmarks.capacity.report import CapacityReport
from benchmarks.commits.report import CommitsReport
from benchmarks.export.report import ExportReport
from benchmarks.html.report import HtmlReport
from benchmarks.mechanisms.report import MechanismsReport
from benchmarks.overload.report import OverloadReport
from benchmarks.peers.report import PeersReport
from benchmarks.profile.report import ProfileReport
from benchmarks.quality.report import QualityReport
from benchmarks.serving.report import ServingReport
from benchmarks.soak.report import SoakReport

FOLDER = Path(__file__).parent
README = FOLDER / "README.md"
DOCUMENTS = (README, FOLDER.parent / "docs" / "capacity.md")
RESULTS = FOLDER / "results"

NOT_MEASURED = "Not measured yet."
BLOCK = re.compile(r"(?P<begin><!-- results: (?P<name>[\w-]+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL)

Report = (
    QualityReport
    | ServingReport
    | MechanismsReport
    | CapacityReport
    | CommitsReport
    | ExportReport
    | SoakReport
    | OverloadReport
    | HtmlReport
    | PeersReport
    | ProfileReport
)
REPORTS: dict[str, type[Report]] = {
    "quality": QualityReport,
    "html": HtmlReport,
    "serving": ServingReport,
    "mechanisms": MechanismsReport,
    "capacity": CapacityReport,
    "commits": CommitsReport,
    "export": ExportReport,
    "peers": PeersReport,
    "profile": ProfileReport,
    "soak": SoakReport,
    "overload": OverloadReport,
}


def render(text: str, results: Path) -> str:
    """The text with every block made anew."""

    def block(match: re.Match[str]) -> str:
        return f"{match['begin']}{_content(results / (match['name'] + '.json'))}\n{match['end']}"

    return BLOCK.sub(block, text)


def _content(path: Path) -> str:
    return markdown(read_report(path)) if path.exists() else NOT_MEASURED


def read_report(path: Path) -> Report:
    """A results file of any benchmark."""
    text = path.read_text(encoding="utf-8")
    return REPORTS[json.loads(text)["benchmark"]].model_validate_json(text)


def markdown(report: Report) -> str:
    """A report as the README shows it."""
    tables = [table.to_markdown() for table in report.tables()]
    notes = "\n".join(f"- {note}" for note in report.notes())
    return "\n\n".join(part for part in (report.heading(), *tables, notes) if part)


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; fail if a document is not what the results say.")
def main(check: bool) -> None:
    """Writes the tables of the documents from benchmarks/results."""
    for document in DOCUMENTS:
        before = document.read_text(encoding="utf-8")
        after = render(before, RESULTS)
        if check and after != before:
            raise click.ClickException(f"{document.name} differs from the results: run python -m benchmarks.report")
        if not check:
            document.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main()
