"""The shipped summarizer over a real port: both styles, copied tokens and their sources, unknown names."""

from pathlib import Path

import numpy as np
import pytest

import regard

TEXTS = Path(__file__).parents[2] / "docs" / "examples" / "texts"
EMAIL, NEWS = ((TEXTS / name).read_text(encoding="utf-8") for name in ("email.txt", "news.txt"))


@pytest.mark.parametrize(("text", "style"), [(EMAIL, "subject"), (NEWS, "headline")])
@pytest.mark.parametrize("beams", [1, 4])
def test_a_summary_has_its_copied_tokens(client: regard.Client, text: str, style: str, beams: int) -> None:
    result = client.summarize(text, style, num_beams=beams, attention=["alignment"], truncation="truncate")
    assert result.model == "headlines"
    assert result.best.finish_reason == "end"
    assert 1 <= len(result.text.split()) <= 16
    assert result.alignment is not None
    np.testing.assert_allclose(result.alignment.values.sum(-1), 1, atol=1e-5)
    assert any(token.copied for token in result.best.tokens)
    for token in result.best.tokens:
        if token.copied:
            assert token.copied_from is not None
            span = result.source_tokens[token.copied_from].span
            assert span is not None
            assert token.span is not None
            assert result.text[token.span.start : token.span.end] == text[span.start : span.end]
    assert result.best.text == "".join(
        event.text_delta
        for event in client.stream_summarize(text, style, num_beams=beams, truncation="truncate")
        if isinstance(event, regard.TokenMade)
    )


def test_unknown_names_are_copied(client: regard.Client) -> None:
    story = "Quibbleton Industries Inc said it agreed to buy Zanzifor Corp for 84 mln dlrs in cash."
    assert "quibbleton" in client.summarize(story, "headline").text.lower()


def test_the_styles_differ(client: regard.Client) -> None:
    assert (
        client.summarize(NEWS, "headline", truncation="truncate").text
        != client.summarize(NEWS, "subject", truncation="truncate").text
    )


def test_a_batch_equals_single_calls(client: regard.Client) -> None:
    texts = [EMAIL, "Zyltham.", NEWS, "The plant closes on Friday. Please tell everybody."]
    together = [result.text for result in client.summarize(texts, "headline", truncation="truncate")]
    assert together == [client.summarize(text, "headline", truncation="truncate").text for text in texts]


def test_warnings_tell_what_may_be_wrong(client: regard.Client) -> None:
    text = "The meeting about the budget is on Monday. Please bring the numbers of last year. " * 200
    plain = client.summarize("The meeting about the budget is on Monday. Please bring the numbers of last year.")
    assert plain.warnings == ()
    cut = client.summarize(text, truncation="truncate", max_new_tokens=2)
    assert {warning.reason for warning in cut.warnings} == {"output_cut", "source_truncated"}
    (*_, finished) = client.stream_summarize(text, truncation="truncate", max_new_tokens=2)
    assert isinstance(finished, regard.Finished)
    assert finished.result.warnings == cut.warnings
