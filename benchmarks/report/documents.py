"""Makes the tables of documents from the files in results/.

The block between `<!-- results: NAME -->` and `<!-- end -->` shows results/NAME.json.
"""

import json
import re
from pathlib import Path

from benchmarks.capacity.capacity_report import CapacityReport
from benchmarks.commits.commits_report import CommitsReport
from benchmarks.documents.documents_report import DocumentsReport
from benchmarks.doors.doors_report import DoorsReport
from benchmarks.export.export_report import ExportReport
from benchmarks.hostile.hostile_report import HostileReport
from benchmarks.hostile.together_report import TogetherReport
from benchmarks.html.html_report import HtmlReport
from benchmarks.mechanisms.mechanisms_report import MechanismsReport
from benchmarks.overload.overload_report import OverloadReport
from benchmarks.peers.peers_report import PeersReport
from benchmarks.profile.profile_report import ProfileReport
from benchmarks.quality.quality_report import QualityReport
from benchmarks.serving.serving_report import ServingReport
from benchmarks.soak.soak_report import SoakReport
from benchmarks.terms.terms_report import TermsReport

FOLDER = Path(__file__).parents[1]
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
    | DocumentsReport
    | DoorsReport
    | ExportReport
    | SoakReport
    | OverloadReport
    | HostileReport
    | TogetherReport
    | HtmlReport
    | PeersReport
    | ProfileReport
    | TermsReport
)
REPORTS: dict[str, type[Report]] = {
    "quality": QualityReport,
    "html": HtmlReport,
    "serving": ServingReport,
    "mechanisms": MechanismsReport,
    "capacity": CapacityReport,
    "commits": CommitsReport,
    "documents": DocumentsReport,
    "doors": DoorsReport,
    "export": ExportReport,
    "peers": PeersReport,
    "profile": ProfileReport,
    "soak": SoakReport,
    "overload": OverloadReport,
    "hostile": HostileReport,
    "terms": TermsReport,
    "hostile-together": TogetherReport,
}


def render(text: str, results: Path) -> str:
    """Replaces every block of a text.

    Args:
        results: folder of the result files.
    """

    def block(match: re.Match[str]) -> str:
        return f"{match['begin']}{_content(results / (match['name'] + '.json'))}\n{match['end']}"

    return BLOCK.sub(block, text)


def _content(path: Path) -> str:
    return markdown(read_report(path)) if path.exists() else NOT_MEASURED


def read_report(path: Path) -> Report:
    """Reads a result file of any benchmark."""
    text = path.read_text(encoding="utf-8")
    return REPORTS[json.loads(text)["benchmark"]].model_validate_json(text)


def markdown(report: Report) -> str:
    """A report's heading, tables and notes as Markdown."""
    tables = [table.to_markdown() for table in report.tables()]
    notes = "\n".join(f"- {note}" for note in report.notes())
    return "\n\n".join(part for part in (report.heading(), *tables, notes) if part)
