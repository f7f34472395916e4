"""The shipped captioner over a real port: a sentence for every shipped photograph, and a map on its grid."""

from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest

import regard
from regard_service.app.server import Server

PHOTOGRAPHS = sorted((Path(__file__).parents[2] / "docs" / "examples" / "photos").glob("*.jpg"))


@pytest.mark.parametrize("beams", [1, 4])
@pytest.mark.parametrize("photograph", PHOTOGRAPHS, ids=lambda path: path.stem)
def test_a_photograph_gives_a_sentence_and_a_map(client: regard.Client, photograph: Path, beams: int) -> None:
    result = client.caption(photograph, attention=["alignment", "cross"], num_beams=beams)
    assert result.best.finish_reason == "end"
    assert 3 <= len(result.text.split()) <= 25
    grid, alignment, cross = result.image_grid, result.alignment, result.best.find_map("cross")
    assert grid is not None
    assert alignment is not None
    assert cross is not None
    assert alignment.shape == (len(result.best.tokens), grid.rows * grid.columns)
    np.testing.assert_allclose(alignment.values.sum(-1), 1, atol=1e-5)
    np.testing.assert_allclose(cross.values.sum(-1), 1, atol=1e-5)
    assert grid.box == (0, 0, grid.image_width, grid.image_height)
    assert result.best.text == "".join(
        event.text_delta
        for event in client.stream_caption(photograph, num_beams=beams)
        if isinstance(event, regard.TokenMade)
    )


def test_captions_differ_by_picture_and_not_by_batch(client: regard.Client) -> None:
    """Captions differ between pictures, and do not depend on the batch."""
    together = [result.text for result in client.caption([*PHOTOGRAPHS])]
    alone = [client.caption(photograph).text for photograph in PHOTOGRAPHS]
    assert together == alone
    assert len(set(alone)) >= 5


@pytest.mark.parametrize("name", ["cat", "coffee", "flower", "rocket"])
def test_pictures_unlike_its_training_have_a_high_risk(client: regard.Client, name: str) -> None:
    """The captioner knows people and dogs; it writes fluent sentences about whatever it sees."""
    (photograph,) = (path for path in PHOTOGRAPHS if path.stem == name)
    result = client.caption(photograph)
    assert result.risk == "high"
    assert result.risk_reasons


def test_a_page_of_text_is_no_photograph(client: regard.Client) -> None:
    page = np.full((300, 220, 3), 255, np.uint8)
    page[20:280:12, 15:200] = 0  # lines
    result = client.caption(page)
    assert result.risk == "high"
    assert "source_unfamiliar" in {reason.kind for reason in result.risk_reasons}


def test_the_risk_does_not_depend_on_the_batch(client: regard.Client) -> None:
    together = [result.risk_score for result in client.caption([*PHOTOGRAPHS])]
    alone = [client.caption(photograph).risk_score for photograph in PHOTOGRAPHS]
    assert together == pytest.approx(alone, abs=1e-4)


def test_the_metric_counts_captions_by_their_risk(client: regard.Client, shipped_server: Server) -> None:
    (rocket,) = (path for path in PHOTOGRAPHS if path.stem == "rocket")
    client.caption(rocket)
    with urlopen(f"http://127.0.0.1:{shipped_server.http_port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    (counted,) = (line for line in lines if line.startswith('regard_outputs_total{model="flickr8k",risk="high"}'))
    assert float(counted.split()[-1]) >= 1
