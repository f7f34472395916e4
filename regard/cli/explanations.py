"""Flags of explanations, and how the command line prints them."""

from collections.abc import Callable, Iterable
from typing import Any

import click

from regard.values.encodings import Explanation
from regard.wire.enums import EVIDENCE


def explain_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the flags `explain` and `explain_label`."""
    command = click.option(
        "--explain-label", metavar="NAME", help="Check the evidence for this label, not for what was found."
    )(command)
    return click.option(
        "--explain",
        multiple=True,
        type=click.Choice(EVIDENCE.names),
        help="Check this evidence for what was found by running the model again without it and with it alone.",
    )(command)


def explanation_lines(explanations: Iterable[Explanation]) -> list[str]:
    """A line for each explanation."""
    return [
        f"  {each.evidence}: comprehensiveness {each.comprehensiveness:.3f}, "
        f"sufficiency {each.sufficiency:.3f} ({each.num_runs} runs)"
        for each in explanations
    ]
