"""The options of an export."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from regard_export.errors import ExportError
from regard_export.examples.dev_sets import DevSet
from regard_export.examples.training_texts import TrainingTexts
from regard_service.bundle import NAME, Precision, Unit

MAX_VERSION_LENGTH = 64  # characters, of `Manifest`


@dataclass(frozen=True)
class ExportOptions:
    """The options of an export.

    Attributes:
        precisions: in the order of preference; the server takes the first that it can run.
        dev: examples for calibration, alignment and the quality gate.
        unit: how much of a text the model reads at a time; None takes the default of its task.
        unit_tokens: with the unit "passage", most tokens of a passage; None takes all that the model reads.
        is_mismatch_allowed: whether to write the bundle even if verification fails; the manifest says so.
        training: texts by target language, from which a shortlist is learned; empty: none is learned.

    Raises:
        ExportError: no model may have this name or version.
    """

    name: str
    version: str
    precisions: Sequence[Precision]
    dev: DevSet
    unit: Unit | None = None
    unit_tokens: int | None = None
    is_mismatch_allowed: bool = False
    training: Mapping[str, TrainingTexts] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ExportError(
                f"no model may be called {self.name!r}: letters, digits, . _ and - ; --name gives another"
            )
        if not 1 <= len(self.version) <= MAX_VERSION_LENGTH:
            raise ExportError(f"a version has 1 to {MAX_VERSION_LENGTH} characters, not {len(self.version)}")
