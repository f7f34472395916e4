"""Hard attention of the project's captioners; `test_graphs.py` compares their graphs with the originals."""

import numpy as np

from regard_export.decoding.variant_engine import VariantEngine
from regard_export.families.regard_checkpoints import captioner
from regard_export.resources.threads import half_of_torch_threads
from tests.unit.export.captioner_checkpoints import tiny_captioner_checkpoint, tiny_lstm, tiny_pixels
from tests.unit.export.transformer_checkpoints import write_tiny_bundle


def test_hard_attention_looks_at_one_position(tmp_path) -> None:
    with half_of_torch_threads():
        model = captioner.from_checkpoint(tiny_captioner_checkpoint(tiny_lstm(attention="hard")))
        graphs = VariantEngine(write_tiny_bundle(tmp_path / "bundle", model, "float32"), "float32")
        [forced] = graphs.teacher_force(tiny_pixels(1), [[1, 7, 8, 9]])
    assert set(np.unique(forced.cross_attention)) == {0.0, 1.0}
    assert (forced.cross_attention.sum(-1) == 1).all()
