"""`regard detect`."""

from pathlib import Path

import click

from regard.calls.options import DetectOptions
from regard.cli.explanations import explain_options, explanation_lines
from regard.cli.options import server_options
from regard.cli.outcomes import attempt_each
from regard.cli.output import escape, print_one_step
from regard.cli.servers import open_server
from regard.names import AttentionKind, Evidence
from regard.values.detections import DetectResult

KINDS = ("alignment", "cross", "encoder_self")


@click.command()
@click.argument("pictures", nargs=-1, required=True, metavar="PICTURE...")
@click.option("--label", "labels", multiple=True, metavar="NAME", help="Only this label; may be repeated.")
@click.option("--top-k", type=int, metavar="N", help="Only so many boxes of a picture, those with the highest scores.")
@click.option("--threshold", type=float, metavar="P", help="Only boxes with at least this score; by default 0.5.")
@click.option("--model", metavar="NAME", help="Model to use; by default the server's for the task.")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Add maps of this kind to the JSON.")
@explain_options
@click.option("--json", "is_json", is_flag=True, help="Print results as JSON: several as an array.")
@server_options
def detect(
    pictures: tuple[str, ...],
    labels: tuple[str, ...],
    top_k: int | None,
    threshold: float | None,
    model: str | None,
    kinds: tuple[AttentionKind, ...],
    explain: tuple[Evidence, ...],
    explain_label: str | None,
    is_json: bool,
    server: str | None,
    tls_ca: Path | None,
    timeout: float,
    verbose: bool,
) -> None:
    """Find objects in pictures (JPEG, PNG or WebP files).

    \b
    regard detect photograph.jpg
    regard detect *.jpg --label person --threshold 0.7
    regard detect photograph.jpg --explain alignment --explain random

    Prints a line for each object: its label, its score, and the left, top, right and bottom of its box in pixels; of
    several pictures, behind the picture's name. A picture without any has none. With --explain, a line for each
    evidence below each object: high comprehensiveness and low sufficiency are good.
    """  # noqa: D301, click's mark for lines to keep
    options = DetectOptions(
        model=model,
        labels=labels,
        top_k=top_k,
        threshold=threshold,
        attention=kinds,
        explain=explain,
        explain_label=explain_label,
        timeout=timeout,
    )
    with open_server(server, tls_ca, verbose, model) as address, address.client() as client:
        # One call for each picture: together they may exceed the limit of a message.
        outcomes = attempt_each(lambda picture: client.detect(picture, **options), pictures)
    print_one_step(
        outcomes,
        pictures,
        lambda picture, result: "\n".join(
            line if len(pictures) == 1 else f"{picture}: {line}" for line in _lines(result)
        ),
        is_json=is_json,
    )


def _lines(result: DetectResult) -> list[str]:
    lines = []
    for each in result.detections:
        lines.append(f"{escape(each.label)} {each.score:.3f}  {' '.join(f'{side:.1f}' for side in each.box)}")
        lines += explanation_lines(each.explanations)
    return lines
