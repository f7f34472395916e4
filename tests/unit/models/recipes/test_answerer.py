"""The recipe of the answerer, on pictures of one colour and questions for it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from regard_models.nets.answerer import Answerer, AnswererConfig
from regard_models.recipes import answerer
from regard_models.recipes.picture_questions import (
    CLASS,
    QuestionData,
    build_tokenizer,
    read_answers,
    read_pictures,
    read_questions,
)
from regard_models.recipes.training import TrainingPlan

COLOURS = {"red": (255, 0, 0), "blue": (0, 0, 255)}
COLOUR, IS_RED = QUESTIONS = ("What color is it?", "Is it red?")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as that of easy-vqa: 12 pictures, each with every question."""
    root = tmp_path_factory.mktemp("questions")
    (root / "train" / "images").mkdir(parents=True)
    rows = []
    for number in range(12):
        name = list(COLOURS)[number % 2]
        pixels = np.full((64, 64, 3), COLOURS[name], np.uint8)
        Image.fromarray(pixels).save(root / "train" / "images" / f"{number}.png")
        rows += [[COLOUR, name, number], [IS_RED, "yes" if name == "red" else "no", number]]
    (root / "train" / "questions.json").write_text(json.dumps(rows))
    (root / "answers.txt").write_text("red\nyes\nblue\nno\n")
    return root


def _data(data: Path, chosen: range) -> QuestionData:
    questions = read_questions(data, "train")
    tokenizer = build_tokenizer([question.text for question in questions])
    return QuestionData(read_pictures(data, "train"), questions, tokenizer, read_answers(data), chosen)


def test_an_epoch_has_every_question_about_every_chosen_picture_once(data: Path) -> None:
    chosen = _data(data, range(10))
    batches = list(chosen.epoch(4, 2, seed=0))
    assert [len(batch.pixels) for batch in batches] == [4, 4, 2]
    assert sum(batch.num_tokens for batch in batches) == 20
    vocabulary = build_tokenizer(QUESTIONS).get_vocab()
    for batch in batches:
        assert bool((batch.ids[:, 0] == vocabulary[CLASS]).all())
        assert torch.equal(batch.mask, batch.ids != 0)
        is_red = batch.pixels[batch.picture_of, 0, 0, 0] > 0
        asks_colour = batch.ids[:, 1] == vocabulary["what"]
        answers = read_answers(data)
        for red, colour, label in zip(is_red, asks_colour, batch.labels, strict=True):
            expected = ("red" if red else "blue") if colour else ("yes" if red else "no")
            assert answers[int(label)] == expected
    again = list(chosen.epoch(4, 2, seed=0))
    assert all(torch.equal(one.labels, other.labels) for one, other in zip(batches, again, strict=True))


def test_a_short_training_learns_the_colours(data: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = Answerer(answerer.config_of(build_tokenizer(QUESTIONS), 4))
    plan = TrainingPlan(60, peak_rate=3e-3, warmup_steps=5, decay_steps=30, validate_every=60)
    log = answerer.fit(net, _data(data, range(10)), _data(data, range(10, 12)), plan, tmp_path, device="cpu")
    assert log["accuracy"] == 100.0


def test_a_question_alone_is_answered_as_in_a_padded_batch(data: Path) -> None:
    torch.manual_seed(0)
    net = Answerer(answerer.config_of(build_tokenizer(QUESTIONS), 4)).eval()
    (batch,) = _data(data, range(2)).all()
    together = net(batch.pixels, batch.ids, batch.mask, batch.picture_of)
    for index in range(batch.num_tokens):
        ids = batch.ids[index : index + 1, : int(batch.mask[index].sum())]
        pixels = batch.pixels[batch.picture_of[index : index + 1]]
        torch.testing.assert_close(net(pixels, ids)[0], together[index], atol=1e-5, rtol=0)


def test_folding_the_normalizations_changes_no_answer(data: Path) -> None:
    torch.manual_seed(0)
    net = Answerer(answerer.config_of(build_tokenizer(QUESTIONS), 4))
    (batch,) = _data(data, range(8)).all()
    for _ in range(3):
        net(batch.pixels, batch.ids, batch.mask, batch.picture_of)  # the running means and variances move
    net.eval()
    before = net(batch.pixels, batch.ids, batch.mask, batch.picture_of)
    net.fold()
    torch.testing.assert_close(net(batch.pixels, batch.ids, batch.mask, batch.picture_of), before, atol=1e-4, rtol=0)
    folded = Answerer(net.config, is_folded=True)
    assert net.state_dict().keys() == folded.state_dict().keys()


def test_a_config_survives_json_and_sizes_must_fit() -> None:
    config = answerer.config_of(build_tokenizer(QUESTIONS), 4)
    assert AnswererConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    odd = AnswererConfig.from_json({**config.to_json(), "image_size": 60})
    with pytest.raises(ValueError, match="do not divide 60 pixels"):
        Answerer(odd)
    with pytest.raises(ValueError, match="region_width"):
        Answerer(AnswererConfig.from_json({**config.to_json(), "channels": (8, 16, 32, 32, 32)}))
