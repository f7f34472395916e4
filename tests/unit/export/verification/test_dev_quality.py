"""How sure a drop of a metric is: few examples decide nothing by noise, many do."""

import numpy as np
import pytest

from regard_export.examples.dev_sets import DevExample
from regard_export.verification.dev_quality import Drop, metric_drop
from regard_export.verification.task_metrics import TaskMetric

# Outputs that are numbers, and a metric that averages them.
AVERAGE = TaskMetric("average", lambda outputs, _: float(np.mean([float(text) for text in outputs])), max_drop=0.3)


def _drop(before: np.ndarray, after: np.ndarray) -> Drop:
    dev = {"": [DevExample("", ("",))] * len(before)}
    return metric_drop({"": list(map(str, before))}, {"": list(map(str, after))}, dev, AVERAGE)


def test_the_interval_holds_the_true_drop_in_about_95_percent_of_draws() -> None:
    rng, held, true = np.random.default_rng(0), 0, 0.5
    for _ in range(400):
        before = rng.normal(30, 5, 60)
        drop = _drop(before, before - true + rng.normal(0, 2, 60))
        held += abs(drop.value - true) <= drop.half_width
    assert 0.90 <= held / 400 <= 0.99


def test_more_examples_make_a_narrower_interval() -> None:
    rng = np.random.default_rng(1)
    widths = []
    for count in (20, 200, 2000):
        before = rng.normal(30, 5, count)
        widths.append(_drop(before, before + rng.normal(-1, 2, count)).half_width)
    assert widths[0] > widths[1] > widths[2]


def test_one_example_decides_nothing() -> None:
    drop = _drop(np.array([30.0]), np.array([10.0]))
    assert (drop.value, drop.half_width, drop.least) == (20.0, np.inf, -np.inf)


def test_equal_outputs_are_no_drop() -> None:
    drop = _drop(np.arange(7.0), np.arange(7.0))
    assert (drop.value, drop.half_width) == (0.0, 0.0)


def test_languages_are_averaged() -> None:
    dev = {key: [DevExample("", ("",))] * 20 for key in ("de", "fr")}
    rng = np.random.default_rng(2)
    texts = {key: rng.normal(30, 5, 20) for key in dev}
    before = {key: list(map(str, values)) for key, values in texts.items()}
    after = {"de": list(map(str, texts["de"] - 1)), "fr": list(map(str, texts["fr"] - 3))}
    drop = metric_drop(before, after, dev, AVERAGE)
    assert drop.value == pytest.approx(2)
    assert drop.half_width == pytest.approx(0, abs=1e-9)
