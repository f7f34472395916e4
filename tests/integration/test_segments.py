"""Texts as people have them, through a real server: sentences, layout, warnings, streams, tags."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

import regard
from regard_service.app.server import Server
from regard_service.app.settings import Settings
from tests.integration.conftest import running

PAGE = """Good morning.
The train is late.

We will wait here. We are not tired!

  - milk
  - bread
* * *
"""
WRAPPED = """My sister lives in a small house with a big garden and she
has two dogs and a cat. The bus is often late. Her husband
works at night.
"""
LOOP = "a" * 58


def alone(client: regard.Client, sentences: list[str], **options: Any) -> list[str]:
    """The translations of sentences by themselves."""
    return [result.text for result in client.translate(sentences, **options)]


@pytest.mark.parametrize(
    ("sentences", "model", "to", "beams"),
    [
        (
            ["My sister lives in a small house.", "She has two dogs and a cat.", "The bus is often late."],
            "everyday",
            "fr",
            1,
        ),
        (
            ["My sister lives in a small house.", "She has two dogs and a cat.", "Her husband works at night."],
            "everyday",
            "es",
            4,
        ),
        (
            ["A man is riding a bicycle.", "Two children play in the park.", "A woman is reading a book."],
            "multi30k",
            "de",
            1,
        ),
        (["He met Mrs. Green at 5 p.m.", "They spoke for an hour."], "everyday", "de", 1),
    ],
)
def test_every_sentence_is_translated_as_if_alone(
    client: regard.Client, sentences: list[str], model: str, to: str, beams: int
) -> None:
    text = " ".join(sentences)
    result = client.translate(text, to, model=model, num_beams=beams)
    assert result.text == " ".join(alone(client, sentences, to=to, model=model, num_beams=beams))
    sources = [text[each.source.start : each.source.end] for each in result.segments]
    targets = [result.text[each.target.start : each.target.end] for each in result.segments]
    assert sources == sentences
    assert targets == alone(client, sentences, to=to, model=model, num_beams=beams)


def test_sentences_without_a_space_between_get_one(client: regard.Client) -> None:
    result = client.translate("I came.I saw.I won.", "de")
    assert result.text == " ".join(alone(client, ["I came.", "I saw.", "I won."], to="de"))


def test_a_page_keeps_its_layout(client: regard.Client) -> None:
    result = client.translate(PAGE, "de")
    parts = alone(client, ["Good morning.", "The train is late.", "We will wait here.", "We are not tired!"], to="de")
    milk, bread = alone(client, ["milk", "bread"], to="de")
    assert result.text == (f"{parts[0]}\n{parts[1]}\n\n{parts[2]} {parts[3]}\n\n  - {milk}\n  - {bread}\n* * *\n")
    assert [each.copied for each in result.segments] == [False] * 6 + [True]


@pytest.mark.parametrize("text", ["", " \n", "\r\n\t", "* * *\n", "42", "😀 \n"])
def test_what_is_no_text_comes_back_as_it_is(client: regard.Client, text: str) -> None:
    result = client.translate(["Hi.", text], "de")[1]
    assert (result.text, result.best.tokens, result.warnings) == (text, (), ())
    *_, finished = client.stream_translate(text, "de")
    assert isinstance(finished, regard.Finished)
    assert finished.result.text == text


def test_breaks_of_windows_and_of_wrapped_lines_stay(client: regard.Client) -> None:
    text = client.translate("First line\r\nsecond line\r\n", "de").text
    assert text.endswith("\r\n")
    assert len(text.split("\r\n")) == 3
    wrapped = client.translate(WRAPPED, "de")
    assert len(wrapped.text.splitlines()) == 3
    assert len(wrapped.segments) == 3


@pytest.mark.parametrize("beams", [1, 4])
@pytest.mark.parametrize(
    "text", ["Hello.", PAGE, WRAPPED, "Write to anna@example.com.\nTHE SHOP IS CLOSED.\n", "\n Hi. "]
)
@pytest.mark.parametrize("method", ["plain", "shifted"])
def test_a_stream_is_the_unary_call_token_by_token(client: regard.Client, text: str, beams: int, method: str) -> None:
    options: dict[str, Any] = {"num_beams": beams, "attention": ["alignment"], "alignment_method": method}
    whole = client.translate(text, "de", **options)
    started, *made, finished = client.stream_translate(text, "de", **options)
    tokens = [event for event in made if isinstance(event, regard.TokenMade)]
    assert isinstance(started, regard.Started)
    assert isinstance(finished, regard.Finished)
    assert started.source_tokens == whole.source_tokens
    assert [event.index for event in tokens] == list(range(len(whole.best.tokens)))
    assert [(e.token.id, e.token.span) for e in tokens] == [(t.id, t.span) for t in whole.best.tokens]
    assert "".join(event.text_delta for event in tokens) == whole.text == finished.result.text
    assert whole.alignment is not None
    for event in tokens:
        row = event.attention[0]
        columns = slice(row.source_offset, row.source_offset + row.shape[-1])
        expected = whole.alignment.values[event.index]
        assert row.values[0] == pytest.approx(expected[columns], abs=1e-5)
        assert expected.sum() == pytest.approx(row.values.sum(), abs=1e-5)


@pytest.mark.parametrize("words", [False, True])
def test_maps_come_for_each_segment_with_their_place_in_the_whole(client: regard.Client, words: bool) -> None:
    kinds: Any = ["alignment", "cross", "encoder_self", "decoder_self", "rollout"]
    result = client.translate(PAGE, "de", attention=kinds, words=words)
    sources = result.source_words if words else result.source_tokens
    targets = result.best.words if words else result.best.tokens
    alignments = [each for each in result.best.attention if each.kind == "alignment"]
    assert [each.segment for each in alignments] == [0, 1, 2, 3, 4, 5]
    num_sources = num_targets = 0
    for each in alignments:
        assert (each.source_offset, each.target_offset) == (num_sources, num_targets)
        num_targets, num_sources = num_targets + each.shape[0], num_sources + each.shape[1]
    assert (num_targets, num_sources) == (len(targets), len(sources))
    assert result.alignment is not None
    assert result.alignment.shape == (len(targets), len(sources))
    assert result.alignment.values.sum(axis=1) == pytest.approx(1, abs=1e-4)
    assert all(value >= 0 for value in result.best.entropy)
    assert len(result.best.entropy) == len(result.best.coverage) == len(targets)
    assert len(result.best.source_coverage) == len(sources)
    for kind in kinds[1:]:
        whole = result.find_map(kind)
        assert whole is not None
        assert whole.values.sum(axis=-1) == pytest.approx(1, abs=1e-4)
    for link in result.best.links:
        source, target = sources[link.source].span, targets[link.target].span
        assert source is not None
        assert target is not None
        [segment] = [s for s in result.segments if s.source.start <= source.start <= s.source.end]
        assert segment.target.start <= target.start <= segment.target.end


def test_hypotheses_of_a_page_are_the_best_combinations(client: regard.Client) -> None:
    options: dict[str, Any] = {"num_beams": 4, "num_return_sequences": 4}
    first, second = client.translate(["Good morning.", "I am here."], "de", **options)
    both = client.translate("Good morning. I am here.", "de", **options)
    sums = sorted((a.score + b.score for a in first.hypotheses for b in second.hypotheses), reverse=True)
    assert [h.score for h in both.hypotheses] == pytest.approx(sums[:4], abs=1e-4)
    assert both.text == f"{first.text} {second.text}"


def test_samples_of_a_page_are_drawn_for_each_segment(client: regard.Client) -> None:
    options: dict[str, Any] = {"temperature": 1.0, "seed": 3, "num_return_sequences": 3}
    result = client.translate("Good morning. I am here.", "de", **options)
    assert len(result.hypotheses) == 3
    again = client.translate("Good morning. I am here.", "de", **options)
    assert [h.text for h in result.hypotheses] == [h.text for h in again.hypotheses]


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        (LOOP, {"output_cut", "repetition", "other_language"}),
        ("Hund", {"other_language"}),
        ("Ich gehe nach Hause.", {"other_language"}),
        ("Это хороший дом.", {"other_language"}),
        ("a", {"output_empty"}),
        ("Good morning.", set()),
    ],
)
def test_what_may_be_wrong_is_told(client: regard.Client, text: str, reasons: set[str]) -> None:
    result = client.translate(text, "de")
    assert {warning.reason for warning in result.warnings} == reasons
    assert client.translate(text, "de", raw=True).warnings == ()
    (*_, finished) = client.stream_translate(text, "de")
    assert isinstance(finished, regard.Finished)
    assert finished.result.warnings == result.warnings


def test_a_warning_names_its_segment_and_a_loop_ends_with_its_source(client: regard.Client) -> None:
    result = client.translate(f"Good morning.\n\n{LOOP}\n", "de")
    assert {warning.segment for warning in result.warnings} == {1}
    looped = result.segments[1]
    num_source = looped.source_tokens.end - looped.source_tokens.start
    assert looped.target_tokens.end - looped.target_tokens.start < 2.5 * num_source


def test_a_sentence_that_is_too_long_is_cut_and_nothing_of_it_lost(client: regard.Client) -> None:
    text = "We met the man and the woman and the child, " * 40 + "and then we went home."
    result = client.translate(f"Good morning. {text}", "de")
    assert len(result.segments) > 2
    covered = [(each.source.start, each.source.end) for each in result.segments]
    assert (covered[0][0], covered[-1][1]) == (0, len(text) + 14)
    assert all(after[0] - before[1] <= 1 for before, after in pairwise(covered))
    assert "sentence_cut" in {warning.reason for warning in result.warnings}
    cut = client.translate(f"Good morning. {text}", "de", truncation="truncate")
    assert cut.truncated
    assert "source_truncated" in {warning.reason for warning in cut.warnings}


def test_a_sentence_is_cut_into_no_more_parts_than_it_needs(client: regard.Client) -> None:
    """A part that gets a full stop was one token too long for the model, and its last word was cut off."""
    text = "The cat sat on the mat and " * 120
    result = client.translate(text, "de")
    sizes = [each.source.end - each.source.start for each in result.segments]
    assert len(sizes) == 4
    assert min(sizes) > 200
    lump = client.translate("a" * 3000, "de")  # without a place to cut at
    assert (lump.truncated, lump.num_truncated_tokens) == (False, 0)
    assert "source_truncated" not in {warning.reason for warning in lump.warnings}


def test_a_page_of_many_sentences_is_not_refused_for_want_of_room(client: regard.Client) -> None:
    text = " ".join(["Good morning. I am here."] * 150)
    result = client.translate(text, "de")
    assert len(result.segments) == 300
    assert len({result.text[s.target.start : s.target.end] for s in result.segments}) == 2


@pytest.mark.parametrize(("unit", "num_segments"), [("sentence", 4), ("passage", 2), ("whole", 1)])
def test_the_unit_is_chosen_by_the_request(client: regard.Client, unit: Any, num_segments: int) -> None:
    result = client.translate("One day. Two days.\n\nThree days. Four days.", "de", unit=unit)
    assert len(result.segments) == num_segments


def test_raw_is_one_sequence(client: regard.Client) -> None:
    result = client.translate("Good morning. I am here.", "de", raw=True, attention=["alignment"])
    assert result.segments == ()
    assert [token.special for token in result.source_tokens].count(True) == 2
    assert len(result.best.attention) == 1


def test_a_callers_own_parts_are_copied(client: regard.Client) -> None:
    text = "Press the Wobble Knob now.\nThe Wobble Knob is red."
    result = client.translate(text, "de", protected_patterns=["Wobble [A-Z][a-z]+"])
    assert [line.count("Wobble Knob") for line in result.text.splitlines()] == [1, 1]
    start = text.rindex("Wobble")
    result = client.translate(text, "de", protected_spans=[(0, start, start + 11)])
    assert result.text.splitlines()[1].count("Wobble Knob") == 1


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("Hello", "Hello."),
        ("\ufeffGood evening!", "Good evening!"),
        ("\u200eHello.", "Hello."),
        ("\uff28\uff45\uff4c\uff4c\uff4f", "Hello."),
        ("THE SHOP IS CLOSED TODAY.", "The shop is closed today."),
    ],
)
def test_odd_spellings_are_translated_as_plain_ones(client: regard.Client, text: str, same_as: str) -> None:
    odd, plain = (result.text for result in client.translate([text, same_as], "de"))
    assert odd.casefold().rstrip(".") == plain.casefold().rstrip(".")
    assert odd.isupper() == text.isupper()


HTML = '<p>The <b>red</b> car is fast. I am <a href="x?a=1&amp;b=2" title="a good day">happy</a> &amp; here.</p>\n<br>'


def test_tags_return_around_the_words_that_say_the_same(client: regard.Client) -> None:
    result = client.translate(HTML, "de", format="html")
    assert "<b>rote</b>" in result.text
    assert result.text.count('<a href="x?a=1&amp;b=2" title="') == 1
    assert (result.text[:3], result.text[-9:]) == ("<p>", "</p>\n<br>")
    for token in result.best.tokens:
        if token.span is not None:
            assert "<" not in result.text[token.span.start : token.span.end]
    _, *made, _ = client.stream_translate(HTML, "de", format="html")
    tokens = [event for event in made if isinstance(event, regard.TokenMade)]
    assert "".join(event.text_delta for event in tokens) == result.text
    assert [event.token.span for event in tokens] == [token.span for token in result.best.tokens]


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("<p>one <!-- a --> two <br> three <img src=x> four</p>", "html"),
        ("<x xml:space='preserve'>  Hello  </x>", "xml"),
    ],
)
def test_the_tokens_of_a_segment_stand_within_it(client: regard.Client, text: str, markup: Any) -> None:
    """The full stop that was added stood for the white space after the segment."""
    result = client.translate(text, "de", format=markup)
    for segment in result.segments:
        for token in result.source_tokens[segment.source_tokens.start : segment.source_tokens.end]:
            if token.span is not None:
                assert segment.source.start <= token.span.start <= token.span.end <= segment.source.end


def test_one_segment_in_tags_keeps_them(client: regard.Client) -> None:
    assert client.translate("A <b>red</b> car.", "de", format="html").text.count("</b>") == 1
    with pytest.raises(regard.InvalidArgument, match=r"texts\[0\].*not well-formed XML: line 1, column"):
        client.translate("<a><b>red</a>", "de", format="xml")


def test_the_alignment_for_tags_is_not_shown_to_who_did_not_ask(client: regard.Client) -> None:
    result = client.translate(HTML, "de", format="html")
    assert (result.best.attention, result.best.links, result.best.entropy) == ((), (), ())


@pytest.fixture(scope="module")
def small_queue() -> Iterator[Server]:
    with running(Settings(grpc_port=0, http_port=0, max_queue=8, models=("everyday",))) as server:
        yield server


def test_a_page_of_more_sentences_than_the_queue_has_places(small_queue: Server) -> None:
    with regard.Client(f"127.0.0.1:{small_queue.grpc_port}") as client:
        result = client.translate(" ".join(["Good morning. I am here."] * 50), "de")
        assert len(result.segments) == 100


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("The house is red. Go home.[^1]\n\n[^1]: The house is red.", "[^1]\n\n[^1]: "),
        ("<i>Where are you?</i>\nGo home.", "?</i>\n"),
        ("The 1990s and the '80s were great.", " 80 "),
        ("He is 1.85 m tall and weighs 80 kg.", "1,85 m"),
        ("He is 1.85 m tall and weighs 80 kg.", "80 kg"),
        ("I like 寿司、天ぷら.", "寿司、天ぷら"),
        ("Press <kbd>Ctrl</kbd>+<kbd>C</kbd> to copy.", "<kbd>Ctrl</kbd>+<kbd>C</kbd>"),
        (r"This is a \textbf{red house}.", r"\textbf{"),
    ],
)
def test_what_is_copied_stands_as_in_the_source(client: regard.Client, text: str, part: str) -> None:
    assert client.translate(text, "de").text.count(part) == 1


def test_a_long_placeholder_makes_no_output_too_long(client: regard.Client) -> None:
    message = "{count, plural, =0 {no messages} one {# message} other {# messages}}"
    result = client.translate(f"You have {message}.", "de")
    assert message in result.text
    assert not result.warnings
