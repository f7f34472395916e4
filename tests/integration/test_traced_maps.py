"""Maps from the trace graph of the shipped models, over a real port: self-attention, rollout, value norms."""

from pathlib import Path

import numpy as np
import pytest

import regard
from regard import AttentionMap, Finished, Result, TokenMade
from regard.names import AttentionKind
from regard.v1 import regard_pb2 as pb

TEXT = "The old man reads a newspaper in the library."
TRACED: tuple[AttentionKind, ...] = ("encoder_self", "decoder_self", "rollout")


def _found(result: Result) -> dict[str, AttentionMap]:
    return {each.kind: each for each in (*result.source_attention, *result.best.attention)}


@pytest.fixture(scope="module")
def result(client: regard.Client) -> Result:
    return client.translate(TEXT, to="de", attention=("cross", "alignment", *TRACED), num_beams=3)


@pytest.fixture(scope="module")
def num_heads(client: regard.Client) -> int:
    """Heads of a layer of the decoder."""
    kinds = client.model("everyday").message.attention_kinds
    return next(each.num_heads for each in kinds if each.kind == pb.ATTENTION_KIND_DECODER_SELF)


def test_every_kind_has_its_shape_and_its_rows_sum_to_1(result: Result, num_heads: int) -> None:
    target, source = len(result.hypotheses[0].tokens), len(result.source_tokens)
    shapes = {
        "cross": (2, num_heads, target, source),
        "alignment": (target, source),
        "encoder_self": (4, 4, source, source),
        "decoder_self": (2, num_heads, target, target),
        "rollout": (target, source),
    }
    found = _found(result)
    assert {kind: each.values.shape for kind, each in found.items()} == shapes
    for each in found.values():
        np.testing.assert_allclose(each.values.sum(-1), 1, atol=1e-3)


def test_the_decoder_attends_to_no_later_token(result: Result) -> None:
    maps = _found(result)["decoder_self"].values
    np.testing.assert_array_equal(maps, np.tril(maps))


def test_layers_and_heads_can_be_chosen(client: regard.Client, result: Result) -> None:
    chosen = client.translate(TEXT, to="de", attention=["encoder_self"], layers=[3], heads=[2, 0], num_beams=3)
    every = _found(result)["encoder_self"].values
    np.testing.assert_allclose(_found(chosen)["encoder_self"].values, every[3:, [2, 0]], atol=1e-6)


def test_decoder_self_attention_merges_the_words_that_were_read(client: regard.Client, num_heads: int) -> None:
    result = client.translate(TEXT, to="de", attention=TRACED, words=True)
    words, sources = len(result.hypotheses[0].words), len(result.source_words)
    found = _found(result)
    assert found["decoder_self"].values.shape == (2, num_heads, words, words + 1)
    assert found["encoder_self"].values.shape == (4, 4, sources, sources)
    assert found["rollout"].values.shape == (words, sources)
    for each in found.values():
        np.testing.assert_allclose(each.values.sum(-1), 1, atol=1e-3)


def test_value_norms_change_weights(client: regard.Client) -> None:
    plain, weighed = (
        _found(client.translate(TEXT, to="de", attention=["cross"], weighting=norms))["cross"].values
        for norms in ("attention", "value_norm")
    )
    np.testing.assert_allclose(weighed.sum(-1), 1, atol=1e-3)
    assert np.abs(weighed - plain).max() > 0.05


def test_a_streams_rows_equal_its_results(client: regard.Client) -> None:
    for norms in ("attention", "value_norm"):
        events = list(client.stream_translate(TEXT, to="de", attention=["alignment", *TRACED], weighting=norms))
        rows = np.concatenate(
            [each.values for event in events if isinstance(event, TokenMade) for each in event.attention]
        )
        assert isinstance(events[-1], Finished)
        final = _found(events[-1].result)
        np.testing.assert_allclose(rows, final["alignment"].values, atol=1e-5)
        assert set(TRACED) <= set(final)


def test_every_hypothesis_has_its_own_maps(client: regard.Client) -> None:
    result = client.translate(TEXT, to="de", attention=["decoder_self"], num_beams=4, num_return_sequences=3)
    for hypothesis in result.hypotheses:
        assert hypothesis.attention[0].values.shape[-1] == len(hypothesis.tokens)


def test_models_list_their_kinds_of_maps(client: regard.Client) -> None:
    message = client.model("everyday").message
    assert len(message.attention_kinds) == 5
    assert message.value_norms


PHOTOGRAPH = Path(__file__).parents[2] / "docs" / "examples" / "photos" / "coffee.jpg"


@pytest.fixture(scope="module")
def captioned(client: regard.Client) -> Result:
    return client.caption(PHOTOGRAPH, attention=("cross", "alignment", *TRACED))


def test_a_pictures_maps_lie_on_its_grid(captioned: Result) -> None:
    """Its source axis is the picture's grid. The model has one encoder layer and three decoder layers."""
    grid, target = captioned.image_grid, len(captioned.best.tokens)
    assert grid is not None
    source = grid.first_position + grid.rows * grid.columns
    found = _found(captioned)
    assert {kind: each.values.shape for kind, each in found.items()} == {
        "cross": (3, 4, target, source),
        "alignment": (target, source),
        "encoder_self": (1, 4, source, source),
        "decoder_self": (3, 4, target, target),
        "rollout": (target, source),
    }
    for each in found.values():
        np.testing.assert_allclose(each.values.sum(-1), 1, atol=1e-3)


def test_maps_of_captions_merge_target_words_only(client: regard.Client, captioned: Result) -> None:
    result = client.caption(PHOTOGRAPH, attention=TRACED, words=True)
    words, found, tokens = len(result.best.words), _found(result), _found(captioned)
    np.testing.assert_allclose(found["encoder_self"].values, tokens["encoder_self"].values, atol=1e-6)
    assert found["decoder_self"].values.shape == (3, 4, words, words + 1)
    assert found["rollout"].values.shape == (words, tokens["rollout"].shape[1])


def test_a_stream_of_a_caption_equals_the_unary_call(client: regard.Client, captioned: Result) -> None:
    *_, last = client.stream_caption(PHOTOGRAPH, attention=TRACED)
    assert isinstance(last, Finished)
    for kind, each in _found(last.result).items():
        np.testing.assert_allclose(each.values, _found(captioned)[kind].values, atol=1e-5)


def test_value_norms_weigh_a_pictures_positions(client: regard.Client, captioned: Result) -> None:
    weighed = client.caption(PHOTOGRAPH, attention=["encoder_self"], weighting="value_norm")
    found, plain = (_found(result)["encoder_self"].values for result in (weighed, captioned))
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-3)
    assert np.abs(found - plain).max() > 0.01
