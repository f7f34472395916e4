"""Terms, glossaries, prefixes and alternatives through a real server with the shipped models."""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import regard
from regard_service.app.server import Server
from regard_service.app.settings import Settings
from tests.integration.conftest import running

SENTENCES = ["Where is the library?", "The dog sleeps in the house.", "My sister reads a book."]
TERMS = {"library": "Lesehalle", "dog": "Köter", "house": "Palast", "sister": "Zwillingsschwester", "book": "Wälzer"}
USED = ["Lesehalle", "Köter", "Palast", "Zwillingsschwester", "Wälzer"]


@pytest.fixture(scope="module")
def keeping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that keeps glossaries."""
    kept_by = Settings(
        models=("everyday",),
        grpc_port=0,
        http_port=0,
        glossary_directory=tmp_path_factory.mktemp("kept") / "glossaries",
    )
    with running(kept_by) as server:
        yield server


@pytest.fixture
def kept(keeping: Server) -> Iterator[regard.Client]:
    with regard.Client(f"localhost:{keeping.grpc_port}") as client:
        yield client


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


@pytest.mark.parametrize("beams", [1, 4])
@pytest.mark.parametrize("model", ["everyday", "multi30k", "multi30k-luong"])
def test_every_term_is_used_once_by_every_kind_of_model(client: regard.Client, model: str, beams: int) -> None:
    plain = client.translate(SENTENCES, "de", model=model, num_beams=beams)
    results = client.translate(SENTENCES, "de", model=model, num_beams=beams, terms=TERMS, num_return_sequences=beams)
    assert sorted(word for result in results for word in words(result.text) if word in USED) == sorted(USED)
    for result in results:
        for hypothesis in result.hypotheses:
            assert {word for word in words(hypothesis.text) if word in USED} == {
                word for word in words(result.text) if word in USED
            }
    assert [result.text for result in client.translate(SENTENCES, "de", model=model, num_beams=beams)] == [
        result.text for result in plain
    ]


# Nouns of a sentence, and targets that no translation of these sentences has by itself.
NOUNS = {
    "The dog sleeps in the house.": ("dog", "house"),
    "My sister reads a book about a city.": ("sister", "book", "city"),
    "Where is the library?": ("library",),
    "The teacher gave the children an apple and a pencil.": ("teacher", "children", "apple", "pencil"),
    "There is a letter on the table near the window.": ("letter", "table", "window"),
}
TARGETS = (
    "Köter",
    "Palast",
    "Zwillinge",
    "Wälzer",
    "Lesehalle",
    "alte Truhe",
    "Q 7",
    "Öl-Lampe",
    "roter Faden",
    "Xylofon",
)


@st.composite
def texts_and_terms(draw: st.DrawFn) -> tuple[list[str], dict[str, str]]:
    """Sentences, and terms for some of their nouns."""
    texts = draw(st.lists(st.sampled_from(sorted(NOUNS)), min_size=1, max_size=4, unique=True))
    nouns = draw(st.lists(st.sampled_from([noun for text in texts for noun in NOUNS[text]]), min_size=1, unique=True))
    targets = draw(st.permutations(TARGETS))
    return texts, dict(zip(nouns[: len(targets)], targets, strict=False))


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts_and_terms(), st.integers(1, 4), st.sampled_from(["", "Nun ", "Ich sage: "]))
def test_all_terms_and_prefixes_hold_together(
    client: regard.Client, drawn: tuple[list[str], dict[str, str]], beams: int, prefix: str
) -> None:
    texts, terms = drawn
    options: Any = {"terms": terms, "num_beams": beams, "num_return_sequences": beams}
    prefixes = [prefix] * len(texts) if prefix else None
    results = client.translate(texts, "de", target_prefix=prefixes, **options)
    for text, result in zip(texts, results, strict=True):
        expected = [terms[noun] for noun in NOUNS[text] if noun in terms]
        for hypothesis in result.hypotheses:
            assert hypothesis.text.startswith(prefix.rstrip())
            assert [target for target in expected if not re.search(rf"\b{target}\b", hypothesis.text)] == []
        alone = client.translate(text, "de", target_prefix=prefix or None, **options)
        assert [each.text for each in alone.hypotheses] == [each.text for each in result.hypotheses]


def test_a_text_of_sentences_with_layout_tags_and_copies(client: regard.Client) -> None:
    text = "The dog sleeps.\n\n- The cat eats {fish} at www.example.com.\n- The dog runs."
    terms = [
        regard.Term(*pair) for pair in (("dog", "Köter"), ("cat", "Mieze"), ("fish", "Hering"), ("example", "Beispiel"))
    ]
    result = client.translate(text, "de", terms=terms)
    assert words(result.text).count("Köter") == 2
    assert words(result.text).count("Mieze") == 1
    assert "{fish}" in result.text
    assert "www.example.com" in result.text
    page = client.translate("<p>The <b>dog</b> sleeps &amp; eats.</p>", "de", terms={"dog": "Köter"}, format="html")
    assert "<b>Köter</b>" in page.text


def test_a_stream_shows_what_the_unary_call_returns(client: regard.Client) -> None:
    text = "The dog sleeps in the house and the cat eats a fish. Where is the library?"
    for beams in (1, 3):
        options: Any = {"terms": {**TERMS, "cat": "Mieze"}, "num_beams": beams, "attention": True}
        result = client.translate(text, "de", **options)
        *events, finished = client.stream_translate(text, "de", **options)
        assert isinstance(finished, regard.Finished)
        assert finished.result.text == result.text
        made = [event for event in events if isinstance(event, regard.TokenMade)]
        assert "".join(event.text_delta for event in made) == result.text
        assert [event.token for event in made] == list(result.best.tokens)
        assert {"Köter", "Palast", "Mieze", "Lesehalle"} <= set(words(result.text))


def test_what_is_not_translated_has_its_source_as_target(client: regard.Client) -> None:
    result = client.translate("The window of the Library is open.", "de", terms={"Library": "Library"})
    assert words(result.text).count("Library") == 1


def test_a_prefix_is_kept_and_alternatives_differ_behind_it(client: regard.Client) -> None:
    result = client.translate("Where is the library?", "de", target_prefix="In welchem")
    assert result.text.startswith("In welchem ")
    text = "Where is the library? I do not know."
    begun = client.translate(text, "de", target_prefix="Wo steht die Bücherei? Das")
    assert begun.text.startswith("Wo steht die Bücherei? Das ")
    for beams in (1, 2):
        found = client.translate(text, "de", target_prefix="Wo", num_alternatives=4, num_beams=beams)
        thirds = [hypothesis.text.split()[1] for hypothesis in found.hypotheses]
        assert len(set(thirds)) == len(thirds) == 4
        assert all(hypothesis.text.startswith("Wo ") for hypothesis in found.hypotheses)
        scores = [hypothesis.tokens[1].logprob or 0.0 for hypothesis in found.hypotheses]
        assert scores == sorted(scores, reverse=True)
        assert found.text == client.translate(text, "de", target_prefix="Wo", num_beams=beams).text or beams > 1
    tokens = [token.piece for token in client.translate("Where is the library?", "de").best.tokens[:3]]
    assert client.translate("Where is the library?", "de", target_prefix_tokens=tokens).text == "Wo ist die Bibliothek?"
    [biased] = client.translate(["Where is the library?"], "de", target_prefix="In welchem", prefix_bias=0.99)
    assert biased.text.startswith("In welchem ")


def test_phrases_are_suppressed(client: regard.Client) -> None:
    for beams in (1, 4):
        text = client.translate("Where is the library?", "de", suppressed=["Bibliothek"], num_beams=beams).text
        assert "Bibliothek" not in words(text)


@pytest.mark.parametrize(
    ("options", "field", "fault"),
    [
        ({"terms": [("a", "b"), ("A", "c")]}, "terms[1]", "contradicts an earlier term"),
        ({"terms": [("dog", "")]}, "terms[0].target", "is empty"),
        ({"terms": [("", "x")]}, "terms[0].source", "is empty"),
        ({"terms": [("dog", "a  b")]}, "terms[0].target", "cannot be written by this model"),
        ({"terms": [("dog", "x" * 201)]}, "terms[0].target", "the limit is 200"),
        ({"terms": [(str(n), "x") for n in range(1001)]}, "terms", "holds 1001; the limit is 1000"),
        ({"terms": {"dog": "ein sehr großer Hund"}, "max_new_tokens": 3}, "texts[0]", "terms[0]"),
        ({"target_prefix": "Eins. Zwei. Drei."}, "target_prefixes[0]", "has 3 sentences; the text has 1"),
        ({"target_prefix": "Ein Hund", "prefix_bias": 1.5}, "target_prefixes[0].bias", "must be in (0, 1)"),
        ({"target_prefix": "Ein Hund", "max_new_tokens": 1}, "target_prefixes[0]", "has 2 tokens"),
        ({"target_prefix_tokens": ["no such piece"]}, "target_prefixes[0].tokens[0]", "is no entry"),
        ({"target_prefix": ["a", "b"]}, "target_prefixes", "holds 2; texts holds 1"),
        ({"num_alternatives": 17}, "num_alternatives", "must be in [1, 16]"),
        ({"num_alternatives": 2, "format": "html"}, "text_options.format", "prefixes and alternatives"),
        ({"suppressed": ["a\tb"]}, "suppressed[0]", "has a control character"),
        (
            {"terms": {"dog": "großer Köter"}, "suppressed": ["Hund", "Köter"]},
            "suppressed[1]",
            "terms[0], 'großer Köter'",
        ),
        ({"glossaries": ["a", "a"]}, "glossaries[1]", "named more than once"),
    ],
)
def test_what_is_wrong_is_named(client: regard.Client, options: Any, field: str, fault: str) -> None:
    with pytest.raises(regard.InvalidArgument) as caught:
        client.translate(["The dog barks."], "de", **options)
    assert any(v.field == field and fault in v.description for v in caught.value.violations), caught.value.violations


def test_glossaries_are_kept_used_and_deleted(kept: regard.Client, keeping: Server) -> None:
    made = kept.put_glossary("animals", "en", "de", [("dog", "Köter"), regard.Term("CAT", "Mieze", True)])
    assert (made.name, made.num_terms) == ("animals", 2)
    text = "The dog and the cat sleep."
    result = kept.translate(text, "de-AT", glossaries=["animals"])
    assert "Köter" in result.text
    assert "Mieze" not in result.text
    own = kept.translate(text, "de", glossaries=["animals"], terms={"dog": "Dackel"})
    assert "Dackel" in own.text
    assert "Köter" not in own.text
    assert kept.glossary("animals").terms == (regard.Term("dog", "Köter"), regard.Term("CAT", "Mieze", True))
    with pytest.raises(regard.InvalidArgument, match="has the target language de"):
        kept.translate(text, "fr", glossaries=["animals"])
    kept.put_glossary("animals", "en", "fr", file=b"\xef\xbb\xbf# animals\ndog\tclebs\n", media_type="tsv")
    assert [each.target_language for each in kept.glossaries()] == ["fr"]
    assert "clebs" in kept.translate(text, "fr", glossaries=["animals"]).text
    kept.delete_glossary("animals")
    with pytest.raises(regard.NotFound, match="animals"):
        kept.translate(text, "fr", glossaries=["animals"])
    with pytest.raises(regard.NotFound):
        kept.delete_glossary("animals")


def test_a_document_has_the_terms(kept: regard.Client) -> None:
    document = kept.translate_document(
        b"The dog sleeps.\n\nThe dog eats.\n", "de", media_type="text/plain", terms={"dog": "Köter"}
    )
    assert document.data.decode().count("Köter") == 2


def test_glossaries_over_http(keeping: Server) -> None:
    base = f"http://localhost:{keeping.http_port}/v1"

    def call(verb: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(base + path, data, {"content-type": "application/json"}, method=verb)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    terms = [{"source": "dog", "target": "Köter"}]
    call("POST", "/glossaries/http", {"source_language": "en", "target_language": "de", "terms": terms})
    assert call("GET", "/glossaries/http")["terms"] == terms
    assert [each["name"] for each in call("GET", "/glossaries")["glossaries"]] == ["http"]
    body = {"texts": ["The dog sleeps."], "target_language": "de", "glossaries": ["http"]}
    assert "Köter" in call("POST", "/translate", body)["results"][0]["hypotheses"][0]["text"]
    call("DELETE", "/glossaries/http")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        call("GET", "/glossaries/http")


def test_a_server_without_a_folder_keeps_none(client: regard.Client) -> None:
    assert client.glossaries() == []
    with pytest.raises(regard.Unimplemented, match="glossary_directory"):
        client.put_glossary("a", "en", "de", {"dog": "Hund"})


def test_a_file_that_somebody_writes_is_read(kept: regard.Client, keeping: Server, tmp_path: Path) -> None:
    kept.put_glossary("x", "en", "de", {"dog": "Hund"})
    [path] = keeping._settings.glossary_directory.glob("x.*") if keeping._settings.glossary_directory else []
    path.write_text("dog\tDackel\tcase,part\n")
    assert kept.glossary("x").terms == (regard.Term("dog", "Dackel", True, True),)
    path.write_text("dog\n")
    with pytest.raises(regard.Unavailable, match="line 1"):
        kept.glossary("x")
    kept.delete_glossary("x")
