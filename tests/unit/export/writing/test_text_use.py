"""How a model reads texts, as its manifest says it."""

from types import SimpleNamespace
from typing import Any

import pytest

from regard_export.errors import ExportError
from regard_export.examples.dev_sets import DevExample
from regard_export.writing.text_use import text_use_of, with_outputs


def model(task: str = "translation", languages: tuple[str, ...] = ("en",)) -> Any:
    return SimpleNamespace(task=task, source_languages=languages, target_languages=languages, max_source_tokens=256)


@pytest.mark.parametrize(
    ("task", "languages", "unit"),
    [
        ("translation", ("en",), "sentence"),
        ("translation", (), "whole"),
        ("translation", ("deu_Latn", "ns"), "sentence"),
        ("translation", ("ipa",), "whole"),
        ("summarization", ("en",), "passage"),
        ("captioning", (), None),
    ],
)
def test_the_task_chooses_the_unit(task: str, languages: tuple[str, ...], unit: str | None) -> None:
    assert text_use_of(model(task, languages), None, None, {}).unit == unit


def test_the_caller_chooses_another() -> None:
    use = text_use_of(model(), "passage", 200, {})
    assert (use.unit, use.unit_tokens) == ("passage", 200)


@pytest.mark.parametrize(
    ("task", "unit", "tokens"), [("captioning", "sentence", None), ("translation", "passage", 257)]
)
def test_what_the_model_cannot_read_is_refused(task: str, unit: Any, tokens: int | None) -> None:
    with pytest.raises(ExportError, match="--unit"):
        text_use_of(model(task), unit, tokens, {})


def test_usual_lengths_are_those_of_the_dev_examples() -> None:
    dev = {"de": [DevExample("a" * 50, ("b" * 60,))] * 200, "fr": [DevExample("a", ("b",))] * 3}
    ratios = text_use_of(model(), None, None, dev).length_ratios
    assert ratios.keys() == {"de"}
    assert ratios["de"].least < 72 / 62 < ratios["de"].greatest


def test_the_models_own_outputs_tell_better() -> None:
    dev = {"de": [DevExample("a" * 50, ("b" * 60,))] * 200, "fr": [DevExample("a" * 50, ("b" * 60,))] * 200}
    use = text_use_of(model(), None, None, dev)
    own = with_outputs(use, dev, {"de": ["b" * 100] * 199 + [""]}).length_ratios
    assert own["de"].least < 112 / 62 < own["de"].greatest
    assert own["fr"] == use.length_ratios["fr"]
    summarizer = text_use_of(model("summarization"), None, None, dev)
    assert with_outputs(summarizer, dev, {"de": ["b"] * 200}).length_ratios == {}
