"""Summarize and StreamSummarize over a real port, with a model that repeats a text's first words and copies some."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import regard
from regard.cli import main
from regard.names import Truncation
from regard_service.app.settings import Settings
from tests.integration.conftest import running
from tests.toys import MAX_SOURCE_TOKENS, STYLES, write_summarizer

TEXT = "The Zebra of Quux and the zebra."
LONG = "The Zebra of Quux. It ate a Melon and slept.\nThen nobody came. A dog barked, and so on and on."


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("bundles")
    write_summarizer(folder / "beginnings")
    settings = Settings(grpc_port=0, http_port=0, model_directories=(folder,))
    with running(settings) as server:
        yield f"127.0.0.1:{server.grpc_port}"


@pytest.fixture(scope="module")
def client(target: str) -> Iterator[regard.Client]:
    with regard.Client(target) as client:
        yield client


def run(target: str, *arguments: str, stdin: str | bytes = "") -> str:
    """Runs a command and returns its output."""
    result = CliRunner().invoke(main, [*arguments, "--server", target], input=stdin)
    assert result.exit_code == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("beams", [1, 3])
def test_styles(client: regard.Client, beams: int) -> None:
    subject, headline = (client.summarize(TEXT, style, num_beams=beams).text for style in ("subject", "headline"))
    assert subject == client.summarize(TEXT).text == "the Zebra of"
    assert headline == "the Zebra of Quux and"
    with pytest.raises(regard.NotFound, match=r"poem.*subject, headline"):
        client.summarize(TEXT, "poem", model="beginnings")
    with pytest.raises(regard.NotFound, match="poem"):
        client.summarize(TEXT, "poem")


@pytest.mark.parametrize("beams", [1, 3])
def test_copied_tokens_name_their_source(client: regard.Client, beams: int) -> None:
    result = client.summarize([TEXT, "Melon " + TEXT], "headline", num_beams=beams, attention=True)[0]
    tokens, unknown = result.best.tokens, 3
    assert [token.copied for token in tokens] == [False, True, False, True, False, False]
    assert [token.copied_from for token in tokens] == [None, 2, None, 4, None, None]
    assert [token.piece for token in tokens] == ["the", "Zebra", "of", "Quux", "and", "</s>"]
    assert tokens[1].id == unknown
    assert [token.piece for token in result.source_tokens][:3] == ["<headline>", "the", "Zebra"]
    assert result.alignment is not None
    np.testing.assert_allclose(result.alignment.values.sum(-1), 1, atol=1e-6)


def test_a_word_is_copied_from_its_first_place(client: regard.Client) -> None:
    result = client.summarize("zebra, ZEBRA", "headline")
    assert result.text == "zebra, zebra"
    assert [token.copied_from for token in result.best.tokens][0::2] == [1, 1]


@pytest.mark.parametrize("beams", [1, 3])
def test_a_stream_equals_the_unary_call(client: regard.Client, beams: int) -> None:
    whole = client.summarize(TEXT, "headline", num_beams=beams, attention=True)
    events = list(client.stream_summarize(TEXT, "headline", num_beams=beams, attention=True))
    made = [event for event in events if isinstance(event, regard.TokenMade)]
    assert "".join(event.text_delta for event in made) == whole.text
    assert tuple(event.token for event in made) == whole.best.tokens
    assert isinstance(events[-1], regard.Finished)
    assert events[-1].result.text == whole.text


def test_samples_may_copy(client: regard.Client) -> None:
    sampled = client.summarize(TEXT, "headline", temperature=3.0, num_return_sequences=8, seed=3)
    assert len({hypothesis.text for hypothesis in sampled.hypotheses}) > 1
    assert any(token.copied for hypothesis in sampled.hypotheses for token in hypothesis.tokens)


def test_constraints_know_copies(client: regard.Client) -> None:
    options: dict[str, Any] = {
        "no_repeat_ngram_size": 1,
        "repetition_penalty": 0.9,
        "min_new_tokens": 8,
        "max_new_tokens": 8,
    }
    for beams in (1, 3):
        result = client.summarize(TEXT, "headline", num_beams=beams, **options)
        assert len({token.piece.lower() for token in result.best.tokens}) == 8


@pytest.mark.parametrize("beams", [1, 3])
def test_long_texts_are_split_and_joined(client: regard.Client, beams: int) -> None:
    options: dict[str, Any] = {"num_beams": beams, "truncation": "split_and_join", "num_return_sequences": beams}
    result = client.summarize(LONG, "headline", attention=["alignment", "cross"], **options)
    assert result.num_parts == 3
    assert not result.truncated
    [best] = result.hypotheses
    assert best.text == "the Zebra of Quux . Then nobody came . a dog barked, and"
    written = [best.text[t.span.start : t.span.end] for t in best.tokens if t.span]
    assert "".join(written) == "".join(best.text.split())
    for token in best.tokens:
        if token.copied_from is not None:
            assert result.source_tokens[token.copied_from].piece == token.piece
    # The axis has every token of the text, between the special tokens of its part.
    covered = [LONG[t.span.start : t.span.end] for t in result.source_tokens if t.span]
    assert "".join(covered) == "".join(LONG.split())
    assert [t.piece for t in result.source_tokens].count("</s>") == 3
    _check_blocks(result)


def _check_blocks(result: regard.Result) -> None:
    """Checks that rows sum to 1 and that parts do not attend to each other."""
    alignment, cross = result.alignment, result.best.find_map("cross")
    assert alignment is not None
    assert cross is not None
    assert alignment.shape == (len(result.best.tokens), len(result.source_tokens))
    assert cross.shape == (1, 1, *alignment.shape)
    np.testing.assert_allclose(alignment.values.sum(-1), 1, atol=1e-6)
    np.testing.assert_array_equal(cross.values[0, 0], alignment.values)
    target_part = np.cumsum([0, *(token.piece == "</s>" for token in result.best.tokens)])[:-1]
    source_part = np.cumsum([0, *(token.piece == "</s>" for token in result.source_tokens)])[:-1]
    same = target_part[:, None] == source_part
    assert (alignment.values[same] > 0).all()
    assert not alignment.values[~same].any()


def test_split_texts_by_words(client: regard.Client) -> None:
    result = client.summarize(LONG, truncation="split_and_join", attention=True, words=True)
    assert result.alignment is not None
    assert result.alignment.shape == (len(result.best.words), len(result.source_words))
    np.testing.assert_allclose(result.alignment.values.sum(-1), 1, atol=1e-6)
    words = [word.text for word in result.source_words if not word.special]
    assert words[:4] == ["The", "Zebra", "of", "Quux"]


def test_each_of_several_texts_is_split_by_itself(client: regard.Client) -> None:
    results = client.summarize([TEXT, LONG, TEXT], truncation="split_and_join", num_beams=2, num_return_sequences=2)
    assert [result.num_parts for result in results] == [1, 3, 1]
    assert [len(result.hypotheses) for result in results] == [2, 1, 2]
    assert results[0].text == results[2].text == "the Zebra of"


def test_the_shifted_alignment_of_parts(client: regard.Client) -> None:
    options: dict[str, Any] = {"truncation": "split_and_join", "attention": ["alignment"]}
    plain = client.summarize(LONG, **options).alignment
    shifted = client.summarize(LONG, **options, alignment_method="shifted").alignment
    assert plain is not None
    assert shifted is not None
    np.testing.assert_array_equal(shifted.values[:3], plain.values[1:4])
    np.testing.assert_array_equal(shifted.values[3], plain.values[3])  # the last token of a part keeps its row


def test_sentences_and_words_that_are_too_long_are_cut(client: regard.Client) -> None:
    result = client.summarize("word " * 100, truncation="split_and_join")
    room = MAX_SOURCE_TOKENS - 2
    assert result.num_parts == -(-100 // room)
    assert result.text == " ".join(["word"] * STYLES["subject"] * result.num_parts)


def test_long_texts_are_truncated_or_refused(client: regard.Client) -> None:
    cut = client.summarize(LONG, truncation="truncate")
    assert (cut.truncated, len(cut.source_tokens)) == (True, MAX_SOURCE_TOKENS)
    with pytest.raises(regard.InvalidArgument, match=r"texts\[0\].*tokens; this model takes at most 12"):
        client.summarize(LONG)
    with pytest.raises(regard.InvalidArgument, match=r"truncation.*not offered in streams"):
        list(client.stream_summarize(LONG, truncation="split_and_join"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"texts\[0\].*empty"),
        (" \n\t ", r"texts\[0\].*white space"),
        (
            "a bit of text. " * 70_000,
            r"texts\[0\]: has 1050000 bytes, more than any text of 20000 characters, the limit",
        ),
    ],
    ids=["empty", "blank", "a megabyte"],
)
@pytest.mark.parametrize("truncation", ["reject", "truncate", "split_and_join"])
def test_bad_documents_are_refused_with_a_reason(
    client: regard.Client, text: str, message: str, truncation: Truncation
) -> None:
    with pytest.raises(regard.InvalidArgument, match=message):
        client.summarize(text, truncation=truncation)
    assert client.summarize(TEXT).text == "the Zebra of"


def test_a_document_of_the_maximum_length(client: regard.Client) -> None:
    """The document has hundreds of parts, more than the engine's queue holds."""
    result = client.summarize("a of. " * 3333, truncation="split_and_join")
    assert result.num_parts > 500
    assert len(result.best.tokens) == 4 * result.num_parts
    # The map of the whole document would be mostly zeros.
    with pytest.raises(regard.InvalidArgument, match=r"attention.kinds: .* the limit is max_message_bytes"):
        client.summarize("a of. " * 3333, truncation="split_and_join", attention=["cross"])
    assert client.summarize(TEXT).text == "the Zebra of"


def test_control_characters_are_read(client: regard.Client) -> None:
    result = client.summarize("The\u0000 \u0007bell\u001b[31m of\u200b \u202eQuux", "headline")
    assert result.text.startswith("the")
    assert [token.special for token in result.source_tokens].count(True) == 2


def test_the_command_line_summarizes_a_file(target: str, tmp_path: Path) -> None:
    (tmp_path / "story.txt").write_text(TEXT)
    assert run(target, "summarize", str(tmp_path / "story.txt"), "--style", "headline") == "the Zebra of Quux and\n"
    assert run(target, "summarize", "-", "--beams", "2", stdin=TEXT) == "the Zebra of\n"
    printed = json.loads(run(target, "summarize", "--json", "--attention", stdin=TEXT))
    assert [token["copied_from"] for token in printed["hypotheses"][0]["tokens"]] == [None, 2, None, None]
    np.testing.assert_allclose(np.sum(printed["hypotheses"][0]["attention"][0]["data"], axis=1), 1, atol=1e-6)
    lines = "".join(json.dumps({"text": text}) + "\n" for text in (TEXT, LONG))
    bulk = run(target, "summarize", "-", "--jsonl", "--truncation", "split_and_join", stdin=lines)
    assert [json.loads(line)["num_parts"] for line in bulk.splitlines()] == [1, 3]
