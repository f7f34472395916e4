import pytest

from regard_export.errors import ExportError
from regard_export.families.loading import load_source_model
from regard_export.families.regard_checkpoints import encoder_decoder
from regard_service.bundle import ImageSource
from tests.unit.export.encoder_decoder_checkpoints import PROMPT, tiny_bert, tiny_checkpoint, tiny_prompted, tiny_vision


@pytest.mark.parametrize("encoder", [tiny_vision(), tiny_bert(), tiny_prompted()], ids=["vision", "bert", "prompted"])
def test_checkpoints_are_read_by_their_family(tmp_path, encoder) -> None:
    checkpoint = tiny_checkpoint(encoder)
    checkpoint.save(tmp_path)
    model = load_source_model(tmp_path)
    assert model.family == checkpoint.config["family"]
    assert model.task == checkpoint.card["task"]
    assert model.max_target_tokens == checkpoint.card["max_target_tokens"]


def test_the_prompts_words_stand_before_the_picture() -> None:
    source = encoder_decoder.from_checkpoint(tiny_checkpoint(tiny_prompted())).source
    assert isinstance(source, ImageSource)
    assert (source.grid, source.first_position) == ((2, 3), len(PROMPT) + 1)
    assert source.num_positions == len(PROMPT) + 7


def test_sources_are_no_longer_than_the_encoders_positions() -> None:
    model = encoder_decoder.from_checkpoint(tiny_checkpoint(tiny_bert(max_positions=20)))
    assert model.max_source_tokens == 20


@pytest.mark.parametrize("name", ["encoder.class_tokens", "decoder.embedding.weight"])
def test_missing_weights_are_named(name: str) -> None:
    checkpoint = tiny_checkpoint(tiny_vision())
    del checkpoint.weights[name]
    with pytest.raises(ExportError, match=name):
        encoder_decoder.from_checkpoint(checkpoint)


def test_options_that_do_not_fit_are_refused() -> None:
    checkpoint = tiny_checkpoint(tiny_vision())
    checkpoint.config["encoder"]["depth"] = 3
    with pytest.raises(ExportError, match="depth"):
        encoder_decoder.from_checkpoint(checkpoint)
