"""Score and Align over a real port, with the shipped models: given pairs, confidence and risk."""

import asyncio
import json
import urllib.request

import numpy as np
import pytest

import regard
from regard import AsyncClient, Finished, InvalidArgument
from regard.names import AttentionKind
from regard_service.app.server import Server

SOURCE, TARGET = "Where is the old library?", "Wo ist die alte Bibliothek?"
WRONG = "Ich habe gestern zwei Hunde gesehen."
NONSENSE = "flurb mixtle prangdo vescu thoop zark"


def test_a_translation_is_scored_as_the_search_scored_it(client: regard.Client) -> None:
    translated = client.translate(SOURCE, to="de", raw=True, num_beams=1)
    scored = client.score((SOURCE, translated.text), to="de")
    assert [token.id for token in scored.best.tokens] == [token.id for token in translated.best.tokens]
    found, expected = ([t.logprob or 0.0 for t in each.best.tokens] for each in (scored, translated))
    np.testing.assert_allclose(found, expected, atol=2e-2)  # int8, whose pass over all positions rounds otherwise
    assert scored.best.score == pytest.approx(sum(found), abs=1e-4)
    assert scored.best.mean_logprob == pytest.approx(scored.best.score / len(found), abs=1e-5)


def test_a_target_stays_as_it_was_sent(client: regard.Client) -> None:
    target = "Wo  ist\tdie\u00a0BIBLIOTHEK \u2603?"
    result = client.score((SOURCE, target), to="de")
    assert result.text == target
    spans = [token.span for token in result.best.tokens if token.span is not None]
    assert all(0 <= span.start <= span.end <= len(target) for span in spans)
    assert result.best.tokens[-1].special


def test_pairs_together_are_scored_as_alone(client: regard.Client) -> None:
    pairs = [(SOURCE, TARGET), (SOURCE, WRONG), ("Good morning.", "Guten Morgen.")]
    together = client.score(pairs, to="de")
    alone = [client.score(pair, to="de") for pair in pairs]
    np.testing.assert_allclose([r.best.score for r in together], [r.best.score for r in alone], rtol=1e-6)
    assert together[0].best.score > together[1].best.score


def test_every_kind_of_map_is_weighted_by_contributions(client: regard.Client) -> None:
    kinds: list[AttentionKind] = ["cross", "encoder_self", "decoder_self", "rollout"]
    result = client.align((SOURCE, TARGET), to="de", attention=kinds, weighting="contribution")
    maps = (*result.best.attention, *result.source_attention)
    assert {each.kind for each in maps} == {"alignment", *kinds}
    for each in maps:
        assert each.weighting == "contribution"
        np.testing.assert_allclose(each.values.sum(-1), 1, atol=1e-3)
    assert len(result.best.source_share) == len(result.best.tokens)
    assert all(0 < share < 1 for share in result.best.source_share)


def test_words_are_aligned(client: regard.Client) -> None:
    result = client.align((SOURCE, TARGET), to="de")
    linked = {(result.source_words[k.source].text, result.best.words[k.target].text) for k in result.best.links}
    assert {("Where", "Wo"), ("old", "alte"), ("library", "Bibliothek")} <= linked


def test_every_fault_of_every_pair_is_named(client: regard.Client) -> None:
    pairs = [("", TARGET), (SOURCE, " \n"), (SOURCE, TARGET), ("a", "b" * 20_001)]
    with pytest.raises(InvalidArgument) as caught:
        client.score(pairs, to="de")
    assert [each.field for each in caught.value.violations] == ["pairs[0].source", "pairs[1].target", "pairs[3].target"]


def test_pairs_longer_than_the_model_takes_are_refused(client: regard.Client) -> None:
    with pytest.raises(InvalidArgument) as caught:
        client.score([("dog " * 400, TARGET), (SOURCE, "Hund " * 400)], to="de")
    fields = {each.field: each.description for each in caught.value.violations}
    assert set(fields) == {"pairs[0].source", "pairs[1].target"}
    assert "at most" in fields["pairs[1].target"]


@pytest.mark.parametrize(("model", "reason"), [("multi30k-bahdanau", "no trace graph"), ("headlines", "translation")])
def test_a_model_that_cannot_score_is_named(client: regard.Client, model: str, reason: str) -> None:
    with pytest.raises(regard.RegardError, match=f"{model}.*{reason}|{reason}.*{model}"):
        client.score((SOURCE, TARGET), to="de", model=model)


def test_a_reverse_model_of_another_direction_is_refused(client: regard.Client) -> None:
    with pytest.raises(regard.RegardError, match="everyday"):
        client.align((SOURCE, TARGET), to="de", reverse_model="everyday")


def test_no_pairs_and_no_model_are_refused(client: regard.Client) -> None:
    with pytest.raises(InvalidArgument, match="pairs"):
        client.score([], to="de")
    with pytest.raises(InvalidArgument, match="two texts"):
        client.score([("one",)], to="de")  # type: ignore[list-item]  # what the client refuses
    with pytest.raises(regard.RegardError, match="tlh"):
        client.score((SOURCE, TARGET), to="tlh")


def test_clients_of_asyncio_score_and_align(shipped_server: Server, client: regard.Client) -> None:
    async def calls() -> tuple[regard.Result, list[regard.Result]]:
        async with AsyncClient(f"127.0.0.1:{shipped_server.grpc_port}") as own:
            return await own.align((SOURCE, TARGET), to="de"), await own.score([(SOURCE, TARGET)], to="de")

    aligned, scored = asyncio.run(calls())
    assert aligned.best.pharaoh == client.align((SOURCE, TARGET), to="de").best.pharaoh
    assert scored[0].best.score == pytest.approx(aligned.best.score, abs=1e-5)


def test_http_scores_pairs(shipped_server: Server, client: regard.Client) -> None:
    body = json.dumps({"pairs": [{"source": SOURCE, "target": TARGET}], "target_language": "de"}).encode()
    url = f"http://127.0.0.1:{shipped_server.http_port}/v1/score"
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        (result,) = json.load(answer)["results"]
    expected = client.score((SOURCE, TARGET), to="de").best.score
    assert result["hypotheses"][0]["score"] == pytest.approx(expected, abs=1e-5)


def test_words_have_probabilities_where_they_are_asked_for(client: regard.Client) -> None:
    plain, rated = (client.translate("Hello! " + SOURCE, to="de", confidence=each) for each in (False, True))
    assert plain.best.word_confidences == ()
    assert plain.text == rated.text
    words = [rated.text[w.span.start : w.span.end] for w in rated.best.word_confidences]
    assert "".join(words) == "".join(rated.text.split())
    assert all(0 <= w.probability <= 1 for w in rated.best.word_confidences)
    assert len(rated.best.source_share) == len(rated.best.tokens)


def test_the_risk_is_high_where_the_model_makes_things_up(client: regard.Client) -> None:
    good, bad = client.translate([SOURCE, NONSENSE], to="de")
    assert (good.risk, bad.risk) == ("low", "high")
    assert bad.risk_score > good.risk_score
    assert bad.risk_reasons
    assert bad.risk_reasons[0].message
    assert not good.risk_reasons


def test_the_risk_of_a_text_is_that_of_its_worst_segment(client: regard.Client) -> None:
    result = client.translate(f"{SOURCE} {NONSENSE.capitalize()}.", to="de")
    assert result.risk == "high"
    assert {reason.segment for reason in result.risk_reasons} == {1}


def test_wrong_pairs_are_a_risk(client: regard.Client) -> None:
    right, wrong = client.score([(SOURCE, TARGET), (SOURCE, WRONG)], to="de", confidence=True)
    assert (right.risk, wrong.risk) == ("low", "high")


def test_beams_do_not_change_the_score_of_an_output(client: regard.Client) -> None:
    """`score` is a sum with one beam and a mean with several; `mean_logprob` is the same."""
    one, several = (client.translate(SOURCE, to="de", num_beams=n) for n in (1, 4))
    assert one.text == several.text
    assert one.best.mean_logprob == pytest.approx(several.best.mean_logprob, abs=1e-3)


def test_a_stream_ends_with_the_risk(client: regard.Client) -> None:
    *_, last = client.stream_translate(NONSENSE, to="de", confidence=True)
    assert isinstance(last, Finished)
    assert last.result.risk == "high"
    assert last.result.best.word_confidences


def test_outputs_are_counted_by_their_risk(shipped_server: Server, client: regard.Client) -> None:
    client.translate([SOURCE, NONSENSE], to="de")
    with urllib.request.urlopen(f"http://127.0.0.1:{shipped_server.http_port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    counts = {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in lines
        if line.startswith("regard_outputs_total")
    }
    assert counts['regard_outputs_total{model="everyday",risk="low"}'] >= 1
    assert counts['regard_outputs_total{model="everyday",risk="high"}'] >= 1
