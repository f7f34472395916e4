"""The project's own captioners (`models/regard_models/recipes/captioner.py`), with either decoder."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from regard.arrays import Float32Array
from regard_export.architectures.architecture import Architecture
from regard_export.architectures.captioner_lstm import LstmCaptionerArchitecture
from regard_export.architectures.captioner_transformer import TransformerCaptionerArchitecture
from regard_export.checkpoints.files import require_files
from regard_export.checkpoints.source_model import SourceModel
from regard_export.descriptions.layers import Weights
from regard_export.errors import ExportError
from regard_export.families.regard_checkpoints.card import REQUIRED_FILES, source_model, text_target
from regard_export.references.protocols import Generated, Source, TeacherForced
from regard_export.references.transformers_search import generation_config, search
from regard_models.checkpoint import Checkpoint
from regard_models.nets.captioner import Captioner
from regard_models.nets.captioner_family import (
    LSTM,
    TRANSFORMER,
    CaptionerConfig,
    build,
    load_weights,
    read_config,
)
from regard_models.nets.captioner_transformer import TransformerCaptionerConfig
from regard_models.nets.efficientnet import EfficientNetConfig
from regard_service.bundle import ImageSource, Target
from regard_service.generation import Generation

FAMILIES = (TRANSFORMER, LSTM)
MAX_LSTM_CAPTION_TOKENS = 64


def load(folder: Path) -> SourceModel:
    """Reads a checkpoint's folder."""
    require_files(folder, *REQUIRED_FILES)
    return from_checkpoint(Checkpoint.load(folder))


def from_checkpoint(checkpoint: Checkpoint) -> SourceModel:
    """Maps a checkpoint to a source model.

    Raises:
        ExportError: the weights do not fit the config.
    """
    try:
        config = read_config(checkpoint.config)
        net = build(config)
        load_weights(net, checkpoint.weights)
    except (ValueError, RuntimeError, KeyError) as error:
        raise ExportError(f"the checkpoint does not fit its architecture: {error}") from error
    architecture = _architecture(config, {name: x.numpy() for name, x in checkpoint.weights.items()})
    source, target = image_source(config.encoder), text_target(checkpoint, vocab_size=_vocab_size(config))
    reference = CaptionerReference(net, architecture, target)
    model = source_model(checkpoint, architecture, reference, source, target, max_positions=_max_positions(config))
    return replace(model, max_source_tokens=source.num_positions)


def image_source(encoder: EfficientNetConfig) -> ImageSource:
    """The preprocessing of pictures; as in the encoder's training, they are squashed to a square."""
    return ImageSource(
        height=encoder.image_size,
        width=encoder.image_size,
        mean=(encoder.mean,) * 3,
        std=(encoder.std,) * 3,
        resize="squash",
        grid=(encoder.grid, encoder.grid),
    )


class CaptionerReference:
    """The checkpoint in PyTorch. Its search is `transformers`' generate."""

    def __init__(self, net: Captioner, architecture: Architecture, target: Target) -> None:
        self.name = f"{type(net).__module__}.{type(net).__name__}, PyTorch {torch.__version__}"
        self._net = net.eval()
        self._architecture = architecture
        self._target = target

    @torch.inference_mode()
    def memory(self, source: Source) -> dict[str, Float32Array]:
        """See `Reference`."""
        values = self._net.memory(self._features(source))
        return {
            # The memory holds the transformer's keys transposed, ready for q K^T.
            spec.name: (value[0].transpose(-1, -2) if spec.name.startswith("cross_key") else value[0]).numpy()
            for spec, value in zip(self._architecture.memory, values, strict=True)
        }

    @torch.inference_mode()
    def teacher_force(self, source: Source, target: Sequence[int]) -> TeacherForced:
        """See `Reference`."""
        output = self._net(self._features(source), torch.tensor([[target]]))
        attention = torch.stack([weights[0, 0] for weights in output.cross_attention])
        return TeacherForced.from_tensors(output.logits[0, 0], attention)

    @torch.inference_mode()
    def generate(self, source: Source, generation: Generation) -> Generated:
        """See `Reference`."""
        config = generation_config(self._target, generation, use_cache=False)
        features = self._features(source)

        def next_logits(ids: Tensor) -> Tensor:
            logits: Tensor = self._net(features, ids[None]).logits[0, :, -1]
            return logits

        return search(next_logits, self._target.vocab_size, config)

    def _features(self, source: Source) -> Tensor:
        """float [1, channels, rows, columns]."""
        return self._net.features(torch.as_tensor(source)[None])


def _architecture(config: CaptionerConfig, weights: Weights) -> Architecture:
    if isinstance(config, TransformerCaptionerConfig):
        return TransformerCaptionerArchitecture(config, weights)
    return LstmCaptionerArchitecture(config, weights)


def _vocab_size(config: CaptionerConfig) -> int:
    return config.transformer.vocab_size if isinstance(config, TransformerCaptionerConfig) else config.vocab_size


def _max_positions(config: CaptionerConfig) -> int:
    """Tokens of the longest caption."""
    if isinstance(config, TransformerCaptionerConfig):
        return config.transformer.max_positions
    return MAX_LSTM_CAPTION_TOKENS
