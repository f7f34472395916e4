"""A head that aligns and does nothing else: translations stay as they are."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import torch

from regard_models.checkpoint import Checkpoint
from regard_models.nets.transformer import Transformer, TransformerConfig
from regard_models.recipes.alignment_head import AlignmentHead, add_head, states_of
from regard_models.recipes.everyday_data import LANGUAGES, Mixture, Stream
from regard_models.recipes.guided_batches import GuidedBatch
from regard_models.recipes.pairs import Pair
from regard_models.recipes.tokenizer import train_tokenizer
from regard_models.recipes.translation import Vocabulary, load_translator, write_checkpoint

PAIRS = [
    Pair(f"Tom has {n} books.", f"Tom {word} {n}.", code, ((0, 0), (1, 1)))
    for n in range(30)
    for code, word in zip(LANGUAGES, ("hat", "a", "tiene"), strict=True)
]


def written(folder: Path) -> tuple[Checkpoint, GuidedBatch]:
    """The checkpoint of a random translator, and a batch."""
    torch.manual_seed(0)
    tokenizer = train_tokenizer(
        [text for pair in PAIRS for text in (pair.source, pair.target)],
        vocab_size=360,
        language_tokens=[f"<{code}>" for code in LANGUAGES],
    )
    config = TransformerConfig(
        tokenizer.get_vocab_size(), width=16, num_heads=2, encoder_layers=2, decoder_layers=2, feed_forward_width=16
    )
    write_checkpoint(folder, config, Transformer(config), Vocabulary(tokenizer), {"name": "tiny"})
    (batch,) = islice(Stream(Mixture(PAIRS, PAIRS, seed=1), tokenizer, max_tokens=200)(0), 1)
    return Checkpoint.load(folder), batch


def test_the_head_attends_as_it_was_trained_and_changes_nothing_else(tmp_path: Path) -> None:
    checkpoint, batch = written(tmp_path / "plain")
    plain, _ = load_translator(tmp_path / "plain")
    head = AlignmentHead(16, 8)
    add_head(checkpoint, head).save(tmp_path / "aligned")
    aligned, _ = load_translator(tmp_path / "aligned")
    card = Checkpoint.load(tmp_path / "aligned").card
    assert (card["name"], card["alignment_heads"], card["alignment_shifted"]) == ("tiny", [[1, 2]], True)
    assert aligned.config == replace(plain.config, num_heads=3, head_width=8, encoder_heads=2)

    arguments = (batch.source, batch.source_mask, batch.target)
    before, after = (model(*arguments, need_weights=True) for model in (plain, aligned))
    torch.testing.assert_close(after.logits, before.logits)
    for one, other in zip(before.cross_attention, after.cross_attention, strict=True):
        torch.testing.assert_close(other[:, :2], one)
    repeated = [after.cross_attention[0], *after.decoder_attention]
    assert all(torch.equal(weights[:, 2], weights[:, 0]) for weights in repeated)
    attended = head(*states_of(plain, batch), batch.source_mask)
    torch.testing.assert_close(after.cross_attention[1][:, 2], attended, atol=1e-3, rtol=0)  # float16 weights
