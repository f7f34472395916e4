"""The shipped recurrent translators, in the same engine as every architecture."""

import numpy as np
import pytest

import regard

MODELS = ("multi30k-bahdanau", "multi30k-luong")
TEXTS = [
    "A dog runs.",
    "Two young men are playing football on a green field.",
    "A woman in a red dress is sitting on a bench and reading a newspaper.",
    "Children are swimming in a lake while their parents watch them from the shore under a large umbrella.",
    "A street.",
]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("num_beams", [1, 4])
def test_a_result_does_not_depend_on_its_batch(client: regard.Client, model: str, num_beams: int) -> None:
    together = client.translate(TEXTS, "de", model=model, num_beams=num_beams)
    for text, result in zip(TEXTS, together, strict=True):
        alone = client.translate(text, "de", model=model, num_beams=num_beams)
        assert [token.id for token in alone.best.tokens] == [token.id for token in result.best.tokens]
        assert alone.best.score == pytest.approx(result.best.score, abs=1e-4)


@pytest.mark.parametrize("model", MODELS)
def test_the_alignment_is_its_only_head_along_the_best_beam(client: regard.Client, model: str) -> None:
    result = client.translate(TEXTS[2], "de", model=model, num_beams=4, attention=["alignment", "cross"])
    alignment, cross = result.alignment, result.best.find_map("cross")
    assert alignment is not None
    assert cross is not None
    assert cross.shape == (1, 1, len(result.best.tokens), len(result.source_tokens))
    np.testing.assert_array_equal(cross.values[0, 0], alignment.values)
    np.testing.assert_allclose(alignment.values.sum(-1), 1, atol=1e-5)


@pytest.mark.parametrize("model", MODELS)
def test_a_description_is_translated(client: regard.Client, model: str) -> None:
    text = client.translate("A dog is running on the beach.", "de", model=model, num_beams=4).text
    assert "Hund" in text
    assert "Strand" in text


@pytest.mark.parametrize("model", MODELS)
def test_maps_that_a_recurrent_net_lacks_are_refused(client: regard.Client, model: str) -> None:
    with pytest.raises(regard.InvalidArgument, match="encoder_self is not offered"):
        client.translate(TEXTS[0], "de", model=model, attention="encoder_self")


def test_recurrent_models_are_not_the_default(client: regard.Client) -> None:
    assert client.translate("A dog runs.", "de").model == "everyday"
