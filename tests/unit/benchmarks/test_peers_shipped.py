"""Checkpoints of ours as Pegasus: a head that only aligns is left out, one that does more is refused."""

from pathlib import Path

import pytest
import torch
from transformers import PegasusForConditionalGeneration

from benchmarks.peers.inside.shipped import write_shipped
from regard_models.checkpoint import Checkpoint
from regard_models.nets.transformer import Transformer, TransformerConfig
from regard_models.recipes.alignment_head import AlignmentHead, add_head
from regard_models.recipes.tokenizer import train_tokenizer
from regard_models.recipes.translation import Vocabulary, load_translator, write_checkpoint


def write_aligned(folder: Path) -> None:
    torch.manual_seed(0)
    tokenizer = train_tokenizer(["a b c"], vocab_size=280, language_tokens=["<de>"])
    config = TransformerConfig(
        tokenizer.get_vocab_size(), width=16, num_heads=2, encoder_layers=1, decoder_layers=1, feed_forward_width=16
    )
    write_checkpoint(folder, config, Transformer(config), Vocabulary(tokenizer), {})
    add_head(Checkpoint.load(folder), AlignmentHead(16, 8)).save(folder)


def test_a_checkpoint_with_an_alignment_head_converts(tmp_path: Path) -> None:
    write_aligned(tmp_path / "ours")
    write_shipped(str(tmp_path / "ours"), str(tmp_path / "pegasus"))
    ours, _ = load_translator(tmp_path / "ours")
    theirs = PegasusForConditionalGeneration.from_pretrained(tmp_path / "pegasus").eval()
    source, target = torch.tensor([[4, 20, 30, 2]]), torch.tensor([[1, 40, 50]])
    expected = ours.eval()(source, torch.ones_like(source, dtype=torch.bool), target).logits
    torch.testing.assert_close(theirs(input_ids=source, decoder_input_ids=target).logits, expected, atol=1e-4, rtol=0)


def test_a_head_beyond_the_width_that_adds_to_the_output_is_refused(tmp_path: Path) -> None:
    write_aligned(tmp_path / "ours")
    checkpoint = Checkpoint.load(tmp_path / "ours")
    checkpoint.weights["decoder.0.cross_attention.output.weight"][0, -1] = 1.0
    checkpoint.save(tmp_path / "ours")
    with pytest.raises(ValueError, match="Pegasus's heads are as wide as the model"):
        write_shipped(str(tmp_path / "ours"), str(tmp_path / "pegasus"))
