"""`python -m benchmarks.quality.given_pairs --data DIR`: what alignments, scores and risks of a server are worth.

Three tables: alignment error rates by method (DATA/alignment), how well the risk tells corrupted sources and pairs from
clean ones (DATA/tatoeba, the examples that the export's fit did not read), and how scores go with people's judgement of
translations (DATA/quality_estimation).
"""

import csv
import gzip
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import click
import numpy as np
from numpy.typing import NDArray

import regard
from benchmarks.harness.servers import serve
from benchmarks.harness.tables import Table, show
from benchmarks.quality.alignment import Aligned, WordLinks, error_rate, read_pairs, written
from regard.calls.options import AlignOptions
from regard.names import Symmetrization
from regard_export.examples.dev_sets import DevExample
from regard_export.tuning.confidence import MAX_EXAMPLES
from regard_export.tuning.corruptions import CORRUPTIONS, corrupted
from regard_export.tuning.logistic import auroc
from regard_models.recipes.pairs import read_pairs as read_tatoeba
from regard_service.domain.results import Span

T = TypeVar("T")
Floats = NDArray[np.float64]

BATCH = 64
NUM_RESAMPLES = 1000
METHODS: Mapping[str, AlignOptions] = {
    "the model's heads": {},
    "value norms": {"weighting": "value_norm"},
    "contributions, model's layers": {"weighting": "contribution"},
    "contributions, layer 0, shifted": {"weighting": "contribution", "layers": [0], "alignment_method": "shifted"},
}
SYMMETRIZATIONS: tuple[Symmetrization, ...] = ("grow_diag_final_and", "grow_diag", "intersection")


@click.command()
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True, metavar="DIR")
@click.option("--server", metavar="HOST:PORT", help="Measure this server; by default the benchmark starts one.")
@click.option(
    "--bundles", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="BUNDLES",
    help="Serve the bundles in this folder instead of the shipped ones.",
)  # fmt: skip
@click.option("--model", default="everyday", show_default=True)
@click.option("--reverse-model", metavar="NAME", help="A model of the other direction.")
@click.option("--languages", default="de,fr,es", show_default=True, help="Target languages, separated by commas.")
def main(
    data: Path, server: str | None, bundles: Path | None, model: str, reverse_model: str | None, languages: str
) -> None:
    """Measures one model."""
    if server is None:
        with serve(bundles) as started:
            started.wait_until_healthy()
            _measure(started.target, data, model, reverse_model, languages.split(","))
    else:
        _measure(server, data, model, reverse_model, languages.split(","))


def _measure(target: str, data: Path, model: str, reverse_model: str | None, languages: Sequence[str]) -> None:
    with regard.Client(target, timeout=600) as client:
        rows = [row for language in languages for row in _alignment_rows(client, data, model, reverse_model, language)]
        tables = [Table("Alignment error rate", ["pair", "inputs", "method", "links", "AER", "95 %"], rows)]
        if client.model(model).message.has_confidence:
            risks = [row for language in languages for row in _risk_rows(client, data, model, language)]
            tables.append(Table("Risk: corrupted against clean, AUROC", ["to", "what", "inputs", "AUROC"], risks))
        if "de" in languages:
            rows = list(_judgement_rows(client, data, model))
            tables.append(Table("Scores and people's judgement, Spearman", ["number", "inputs", "rho", "95 %"], rows))
        show(tables, [])


def _alignment_rows(
    client: regard.Client, data: Path, model: str, reverse: str | None, language: str
) -> Iterator[list[str]]:
    pairs = read_pairs(data, language, None)
    ways: list[tuple[str, AlignOptions]] = [("one direction", {})]
    ways += [(name, {"reverse_model": reverse, "symmetrization": name}) for name in SYMMETRIZATIONS if reverse]
    for method, options in METHODS.items():
        for way, others in ways:
            both: AlignOptions = {"model": model, **options, **others}
            try:
                links = list(_links(client, pairs, language, both))
            except regard.InvalidArgument as refused:
                yield [f"en-{language}", "", method, way, "refused", str(refused)[:60]]
                continue
            low, high = _interval(len(pairs), partial(_rate, pairs, links))
            yield [
                f"en-{language}",
                str(len(pairs)),
                method,
                way,
                f"{error_rate(pairs, links):.3f}",
                f"{low:.3f} to {high:.3f}",
            ]


def _rate(pairs: Sequence[Aligned], links: Sequence[WordLinks], chosen: Sequence[int]) -> float:
    return error_rate([pairs[i] for i in chosen], [links[i] for i in chosen])


def _links(
    client: regard.Client, pairs: Sequence[Aligned], language: str, options: AlignOptions
) -> Iterator[WordLinks]:
    """The links between the words of the data, which may be parts of the service's words."""
    for start in range(0, len(pairs), BATCH):
        texts = [(written(pair.source), written(pair.target)) for pair in pairs[start : start + BATCH]]
        results = client.align([(s[0], t[0]) for s, t in texts], language, **options)
        for result, (source, target) in zip(results, texts, strict=True):
            sources = [_overlapping(word.span, source[1]) for word in result.source_words]
            targets = [_overlapping(word.span, target[1]) for word in result.best.words]
            yield {(s, t) for link in result.best.links for s in sources[link.source] for t in targets[link.target]}


def _overlapping(span: "regard.Span | None", words: Sequence[Span]) -> list[int]:
    if span is None:
        return []
    return [i for i, word in enumerate(words) if max(span.start, word.start) < min(span.end, word.end)]


def _risk_rows(client: regard.Client, data: Path, model: str, language: str) -> Iterator[list[str]]:
    """The odd ones of the examples from which the export learned: it fits on the even ones."""
    found = read_tatoeba(data / "tatoeba" / f"en-{language}", "dev", language)
    step = max(1, len(found) // MAX_EXAMPLES)
    examples = [DevExample(pair.source, (pair.target,)) for pair in found[::step][:MAX_EXAMPLES]]

    def outputs(sources: Sequence[str]) -> list[float]:
        return _scores(sources[1::2], lambda batch: client.translate(batch, language, model=model))

    def pairs(sources: Sequence[str], targets: Sequence[str]) -> list[float]:
        both = list(zip(sources, targets, strict=True))[1::2]
        return _scores(both, lambda batch: client.score(batch, language, model=model))

    clean, references = [str(each.source) for each in examples], [each.references[0] for each in examples]
    yield from _told(language, "outputs", outputs(clean), {k: outputs(corrupted(k, examples)) for k in CORRUPTIONS})
    wrong = {kind: pairs(corrupted(kind, examples), references) for kind in CORRUPTIONS}
    wrong["another pair"] = pairs(clean, [*references[1:], references[0]])
    yield from _told(language, "pairs", pairs(clean, references), wrong)


def _told(
    language: str, what: str, clean: Sequence[float], doubtful: Mapping[str, Sequence[float]]
) -> Iterator[list[str]]:
    for kind, scores in doubtful.items():
        yield [language, f"{what}: {kind}", str(len(scores)), f"{auroc(np.array(clean), np.array(scores)):.3f}"]
    every = [score for scores in doubtful.values() for score in scores]
    yield [language, f"{what}: all", str(len(every)), f"{auroc(np.array(clean), np.array(every)):.3f}"]


def _scores(inputs: Sequence[T], call: Callable[[list[T]], list[regard.Result]]) -> list[float]:
    batches = (list(inputs[start : start + BATCH]) for start in range(0, len(inputs), BATCH))
    return [result.risk_score for batch in batches for result in call(batch)]


def _judgement_rows(client: regard.Client, data: Path, model: str) -> Iterator[list[str]]:
    file = data / "quality_estimation" / "dev.en-de.tsv.gz"
    if not file.exists():
        return
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    names = {name.lower(): name for name in rows[0]}
    source, target = (names.get(a) or names[b] for a, b in (("original", "source"), ("translation", "target")))
    pairs = [(row[source], row[target]) for row in rows]
    results = [r for i in range(0, len(pairs), BATCH) for r in client.score(pairs[i : i + BATCH], "de", model=model)]
    people = np.array([float(row[names["z_mean"]]) for row in rows])
    numbers = {
        "mean log-probability": [result.best.mean_logprob for result in results],
        "risk score, negative": [-result.risk_score for result in results],
    }
    for title, values in numbers.items():
        found = np.array(values)
        low, high = _interval(len(rows), partial(_spearman_of, found, people))
        yield [title, str(len(rows)), f"{_spearman(found, people):.3f}", f"{low:.3f} to {high:.3f}"]


def _spearman_of(a: Floats, b: Floats, chosen: Sequence[int]) -> float:
    return _spearman(a[chosen], b[chosen])


def _spearman(a: Floats, b: Floats) -> float:
    """Spearman's rank correlation; ties are broken by position."""
    ranks = [np.argsort(np.argsort(values, kind="stable")) for values in (a, b)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _interval(size: int, measure: Callable[[Sequence[int]], float]) -> tuple[float, float]:
    """The 95 % interval of a figure by resampling its inputs (Efron and Tibshirani 1993)."""
    rng = np.random.default_rng(0)
    found = [measure(rng.integers(0, size, size).tolist()) for _ in range(NUM_RESAMPLES)]
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


if __name__ == "__main__":
    main()
