from pathlib import Path

from regard_models.recipes.training_curve import draw_curve

LINES = [
    {"step": n, "rate": 0.1, "tokens": n * 1000, "seconds": n, "tokens_per_s": 5, "loss": 4 / n, "tatoeba_de": 10 * n}
    for n in (1, 2, 3)
]


def test_a_curve_shows_losses_and_scores_and_is_the_same_each_time(tmp_path: Path) -> None:
    for name in ("one.svg", "other.svg"):
        draw_curve(LINES, tmp_path / name)
    drawn = (tmp_path / "one.svg").read_text()
    assert drawn == (tmp_path / "other.svg").read_text()
    assert "<!-- tatoeba_de -->" in drawn
    assert "<!-- loss -->" in drawn
    assert "<!-- seconds -->" not in drawn
