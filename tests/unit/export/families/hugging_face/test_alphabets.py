"""Sources and targets of different alphabets in one id space: letters to phonemes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import BartConfig, BartForConditionalGeneration, PreTrainedTokenizerFast

from regard_export.checkpoints.source_model import LoadOptions
from regard_export.cli.commands import export_command
from regard_export.errors import ExportError
from regard_export.families.loading import load_source_model
from tests.parity.families.exports import serving
from tests.unit.export.family_checkpoints import SIZES, draw
from tests.unit.export.marian_checkpoints import change_json

LETTERS, SOUNDS = "____abcdefghiklmnopqrstuvwxyz", "____əɪʃʌabdfghijklmnprstuvwz"
REAL = Path("../shared/checkpoints/bart-graphemes-to-phonemes")
PAIR = (("en", "en-ipa"),)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Random weights; one table for letters and sounds, of a few more rows than either needs."""
    special = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3}
    letters = {letter: i for i, letter in enumerate(LETTERS) if letter != "_"}
    made = Tokenizer(models.WordLevel({**special, **letters}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    made.decoder = decoders.Fuse()
    made.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    names: Mapping[str, str] = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=made, **names).save_pretrained(tmp_path / "checkpoint")
    torch.manual_seed(0)
    ids: dict[str, Any] = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
    net = BartForConditionalGeneration(BartConfig(**{**SIZES, **ids, "vocab_size": 32, "forced_eos_token_id": None}))
    draw(net)
    net.save_pretrained(tmp_path / "checkpoint")
    change_json(tmp_path / "checkpoint" / "config.json", grapheme_chars=LETTERS, phoneme_chars=SOUNDS)
    return tmp_path / "checkpoint"


def _export(checkpoint: Path, out: Path) -> None:
    pairs = ("--task", "translation", "--languages", "en-ipa")
    result = CliRunner().invoke(export_command, [str(checkpoint), "-o", str(out), "--precision", "float32", *pairs])
    assert result.exit_code == 0, result.output


def test_outputs_are_in_their_own_alphabet(checkpoint: Path, tmp_path: Path) -> None:
    _export(checkpoint, tmp_path / "bundles" / "sounds")
    net = BartForConditionalGeneration.from_pretrained(checkpoint).eval()
    source = [1, *(LETTERS.index(letter, 4) for letter in "transformer"), 2]
    written = net.generate(torch.tensor([source]), max_new_tokens=12, max_length=None)[0, 1:].tolist()
    with serving(tmp_path / "bundles") as client:
        result = client.translate("transformer", "ipa", num_beams=1, max_new_tokens=12, raw=True)
    assert [token.id for token in result.source_tokens] == source
    assert result.text == "".join(SOUNDS[i] for i in written if 4 <= i < len(SOUNDS))
    assert [token.id for token in result.best.tokens] == written[: len(result.best.tokens)]
    shown = [token.piece for token in result.best.tokens if not token.special]
    assert "".join(shown) == result.text


def test_an_alphabet_that_repeats_a_character_is_refused(checkpoint: Path) -> None:
    file = checkpoint / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "phoneme_chars": "____aa"}))
    with pytest.raises(ExportError, match="phoneme_chars names a character twice"):
        load_source_model(checkpoint, LoadOptions("translation", PAIR))


@pytest.mark.skipif(not REAL.is_dir(), reason="the published checkpoint is not part of this repository")
def test_a_published_checkpoint(tmp_path: Path) -> None:
    """PeterReid/graphemes_to_phonemes_en_us, Apache-2.0."""
    _export(REAL, tmp_path / "bundles" / "sounds")
    with serving(tmp_path / "bundles") as client:
        found = [client.translate(word, "ipa", num_beams=1).text for word in ("transformer", "misaki")]
    assert found == ["tɹænsfˈɔɹməɹ", "mɪsˈɑki"]
