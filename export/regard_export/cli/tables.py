"""Tables for people: what an export would write, what a bundle holds, what a verification measured."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from regard_service.bundle import (
    AttentionLayout,
    BoxesOutput,
    Bundle,
    LabelsOutput,
    Manifest,
    Output,
    PiecesOutput,
    Precision,
    VectorOutput,
)

if TYPE_CHECKING:
    from regard_export.checkpoints.encoder_model import EncoderModel
    from regard_export.checkpoints.source_model import SourceModel
    from regard_export.exporting.options import ExportOptions
    from regard_export.verification.check_report import CheckReport

MAX_LISTED_LANGUAGES = 8


def plan_table(model: "SourceModel | EncoderModel", output: Path, options: "ExportOptions") -> Table:
    """What an export would write."""
    from regard_export.exporting.preflight import expected_export_bytes, expected_variant_bytes

    rows: dict[str, str] = {
        "folder": str(output),
        "model": f"{options.name} {options.version}",
        "task": f"{model.task} ({model.family})",
        **_texts_of(model),
        "source": model.provenance.source,
        **{p: f"about {expected_variant_bytes(model, p) / 1e6:.1f} MB" for p in options.precisions},
        "while at work": f"about {expected_export_bytes(model, options) / 1e6:.1f} MB on the disk",
        "quality gate": f"{sum(map(len, options.dev.values()))} dev examples" if options.dev else "none: no --data",
    }
    return _grid(rows.items())


def _texts_of(model: "SourceModel | EncoderModel") -> dict[str, str]:
    """What a model reads and writes."""
    from regard_export.checkpoints.encoder_model import EncoderModel

    if isinstance(model, EncoderModel):
        return {"tokens": f"source up to {model.max_source_tokens}", "output": described_output(model.output)}
    return {
        "languages": _languages(model.source_languages, model.target_languages),
        "tokens": f"source up to {model.max_source_tokens}, target up to {model.max_target_tokens}",
    }


def described_output(output: Output) -> str:
    """What a model makes of its source, in words; "" for text."""
    match output:
        case VectorOutput():
            normalized = ", normalized" if output.is_normalized else ""
            return f"a vector of {output.width} numbers, pooled by {output.pooling}{normalized}"
        case LabelsOutput():
            return f"labels of {'each token' if output.of == 'token' else 'a source'}: {_listed(output.labels)}"
        case BoxesOutput():
            return f"boxes of {_listed(output.labels)}"
        case PiecesOutput():
            return f"pieces in place of {output.mask}"
        case _:
            return ""


def _listed(labels: Sequence[str]) -> str:
    more = len(labels) - MAX_LISTED_LANGUAGES
    return ", ".join(labels[:MAX_LISTED_LANGUAGES]) + (f" and {more} more" if more > 0 else "")


def bundle_table(bundle: Bundle) -> Table:
    """A bundle's manifest in words; empty values are left out."""
    return _grid(_facts(bundle.manifest))


def variant_line(bundle: Bundle, precision: Precision) -> str:
    """A variant's size and execution providers."""
    variant = next(v for v in bundle.manifest.variants if v.precision == precision)
    served = (variant.encode, variant.step, variant.select, variant.listed_step)
    files = {name for graph in served if graph is not None for name in (graph.file, *graph.external_data)}
    size = sum(bundle.path(name).stat().st_size for name in files)
    return f"{precision}: {size / 1e6:.1f} MB, {', '.join(variant.providers)}"


def report_table(report: "CheckReport") -> Table:
    """Every check of a report."""
    table = Table("", "check", "value", "at most")
    for title, section in report.sections.items():
        for check in section:
            limit = "" if check.limit is None else f"{check.limit:g}"
            mark = "[green]✓[/green]" if check.has_passed else "[red]✗[/red]"
            table.add_row(mark, f"{title}: {check.name}", f"{check.value:.4g}", limit)
    return table


def _grid(rows: Iterable[tuple[str, str]]) -> Table:
    """Titles and values, without rows that have no value."""
    table = Table.grid(padding=(0, 2))
    for title, value in rows:
        if value:
            table.add_row(f"[bold]{title}[/bold]", value)
    return table


def _facts(manifest: Manifest) -> Iterator[tuple[str, str]]:
    yield "model", f"{manifest.name} {manifest.version}"
    yield "description", manifest.description
    yield "task", f"{manifest.task} ({manifest.family})"
    yield "languages", _languages(manifest.source_languages, manifest.target_languages)
    yield "styles", ", ".join(manifest.styles)
    yield "output", described_output(manifest.output)
    if manifest.has_decoder:
        yield from _decoder_facts(manifest)
    else:
        yield "tokens", f"source up to {manifest.max_source_tokens}"
        yield "attention", _encoder_attention(manifest.attention)
    if manifest.task != "captioning":
        yield "reads", manifest.text_unit + (f" of {manifest.unit_tokens} tokens" if manifest.unit_tokens else "")
    yield "scores", _settings(manifest.scores)
    for title, value in manifest.provenance.model_dump(mode="json").items():
        yield title.replace("_", " "), value or ""
    yield "verification", _verdict(manifest)
    for precision, times in manifest.verification.get("step_ms", {}).items():
        yield f"{precision} step", ", ".join(f"{ms:g} ms for {n} at a time" for n, ms in times.items())


def _encoder_attention(layout: AttentionLayout) -> str:
    """What a model without a decoder attends with; "" if it does not."""
    parts = []
    if layout.encoder_layers:
        parts.append(f"{layout.encoder_layers} layers x {layout.encoder_heads} heads")
    if layout.layers:
        parts.append(f"queries in {layout.layers} layers x {layout.heads} heads")
    if layout.channel_layers:
        parts.append(f"gates of {layout.channels} channels in {layout.channel_layers} layers")
    if layout.spatial_layers:
        parts.append(f"gates of positions in {layout.spatial_layers} layers")
    return ", ".join(parts)


def _decoder_facts(manifest: Manifest) -> Iterator[tuple[str, str]]:
    yield (
        "tokens",
        f"{manifest.target.vocab_size} known; source up to {manifest.max_source_tokens}, "
        f"target up to {manifest.max_target_tokens}",
    )
    yield "shortlist", _shortlist(manifest)
    yield "generation", _settings(manifest.generation.model_dump())
    layout = manifest.attention
    yield "attention", f"{layout.layers} layers x {layout.heads} heads; alignment: {layout.alignment_method}"


def _shortlist(manifest: Manifest) -> str:
    """What a shortlist does, and what it costs on dev examples, by precision; "" without one."""
    if manifest.shortlist is None:
        return ""
    dev = manifest.verification.get("dev", {})
    costs = [
        f"{variant.precision}: {_cost(dev[fact])}"
        for variant in manifest.variants
        if (fact := f"{variant.precision}_shortlist") in dev
    ]
    return "; ".join(["a step chooses among the words that the source may become", *costs])


def _cost(cost: Mapping[str, float | None]) -> str:
    """The dev metric's drop, half of its 95 % interval if it has one, and the share of the same outputs."""
    interval = "" if cost["plus_or_minus"] is None else f" (plus or minus {cost['plus_or_minus']:g})"
    return f"{cost['value']:g} points of the dev metric lost{interval}, {cost['same_outputs']:.1%} of outputs the same"


def _languages(sources: Sequence[str], targets: Sequence[str]) -> str:
    """Source and target languages in words; of many, the first `MAX_LISTED_LANGUAGES`."""

    def listed(codes: Sequence[str]) -> str:
        num_more = len(codes) - MAX_LISTED_LANGUAGES
        return ", ".join(codes[:MAX_LISTED_LANGUAGES]) + (f" and {num_more} more" if num_more > 0 else "")

    return f"{listed(sources)} to {listed(targets)}" if sources or targets else ""


def _settings(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _verdict(manifest: Manifest) -> str:
    report = manifest.verification
    if not report:
        return "[red]none[/red]"
    num_checks = sum(len(section) for section in report["checks"].values())
    verdict = "[green]passed[/green]" if report["passed"] else "[red]failed[/red]"
    against = f" against {report['reference']}" if "reference" in report else ""
    return "; ".join(filter(None, [f"{verdict}, {num_checks} checks{against}", _settings(report.get("dev", {}))]))
