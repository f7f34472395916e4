"""The shipped summarizer over a real port: streams, documents beyond its limit, the command line."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import regard
from regard.cli import main
from regard_service.app.server import Server

TEXTS = Path(__file__).parents[2] / "docs" / "examples" / "texts"
NEWS, EMAIL = ((TEXTS / name).read_text(encoding="utf-8") for name in ("news.txt", "email.txt"))


@pytest.mark.parametrize("beams", [1, 4])
@pytest.mark.parametrize(("text", "style"), [(NEWS, "headline"), (EMAIL, "subject")])
def test_a_stream_equals_the_unary_call(client: regard.Client, text: str, style: str, beams: int) -> None:
    whole = client.summarize(text, style, num_beams=beams)
    events = list(client.stream_summarize(text, style, num_beams=beams))
    made = [event for event in events if isinstance(event, regard.TokenMade)]
    assert "".join(event.text_delta for event in made) == whole.text
    assert tuple(event.token.copied_from for event in made) == tuple(t.copied_from for t in whole.best.tokens)


def test_the_models_default_is_truncation(client: regard.Client) -> None:
    model = client.model("headlines")
    assert list(model.styles) == ["subject", "headline"]
    result = client.summarize(NEWS * 5)
    assert result.truncated
    assert len(result.source_tokens) == model.message.max_source_tokens


def test_a_long_document_is_split_and_joined(client: regard.Client) -> None:
    text = " ".join([NEWS, EMAIL] * 5)
    result = client.summarize(text, "headline", truncation="split_and_join", attention=True, words=True)
    assert result.num_parts > 3
    assert not result.truncated
    assert result.alignment is not None
    assert result.alignment.shape == (len(result.best.words), len(result.source_words))
    np.testing.assert_allclose(result.alignment.values.sum(-1), 1, atol=1e-5)
    covered = "".join(text[token.span.start : token.span.end] for token in result.source_tokens if token.span)
    assert covered == "".join(text.split())


@pytest.mark.parametrize(
    "text", ["a\u0000b\u0007c", "\u200b", "x" * 3000, "日本語の文章です。", "</s> <headline> <unk>", "½ ①"]
)
def test_odd_text_is_summarized_like_any_other(client: regard.Client, text: str) -> None:
    result = client.summarize(text, "headline", attention=True, max_new_tokens=8)
    assert [token.special for token in result.source_tokens] == [True, *[False] * (len(result.source_tokens) - 1)]
    assert result.alignment is not None
    np.testing.assert_allclose(result.alignment.values.sum(-1), 1, atol=1e-5)


def test_the_command_line_summarizes(shipped_server: Server) -> None:
    target = f"127.0.0.1:{shipped_server.grpc_port}"
    arguments = ["--style", "subject", "--json", "--attention", "--server", target]
    printed = json.loads(CliRunner().invoke(main, ["summarize", str(TEXTS / "email.txt"), *arguments]).stdout)
    [hypothesis] = printed["hypotheses"]
    assert hypothesis["text"]
    np.testing.assert_allclose(np.sum(hypothesis["attention"][0]["data"], axis=1), 1, atol=1e-5)
