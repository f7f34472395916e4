"""Checkpoints of our gated classifier."""

from pathlib import Path

import torch

from regard.arrays import Float32Array
from regard_export.architectures.gated_classifier import GatedClassifierArchitecture
from regard_export.checkpoints.encoder_model import EncoderModel
from regard_export.checkpoints.files import require_files
from regard_export.checkpoints.source_model import LoadOptions
from regard_export.errors import ExportError
from regard_export.references.protocols import Source, as_array
from regard_models.nets.gated_classifier import GatedClassifier, GatedClassifierConfig, GatedOutput
from regard_models.picture_checkpoint import PictureCheckpoint
from regard_service.bundle import LOGITS, ImageSource, LabelsOutput, Provenance

FAMILY = "regard-gated-classifier"


def load(folder: Path, load_options: LoadOptions) -> EncoderModel:
    """Reads a checkpoint's folder. Raises ExportError if it is damaged, or does not do the chosen task."""
    if load_options.task not in (None, "classification"):
        raise ExportError(f"this checkpoint does classification, not {load_options.task}")
    require_files(folder, "config.json", "model.safetensors", "card.json")
    checkpoint = PictureCheckpoint.load(folder)
    settings = {name: value for name, value in checkpoint.config.items() if name != "family"}
    config = GatedClassifierConfig.from_json(settings)
    net = GatedClassifier(config).eval()
    net.load_state_dict(checkpoint.weights)
    rows, columns = config.grid
    card = checkpoint.card
    return EncoderModel(
        family=FAMILY,
        task="classification",
        architecture=GatedClassifierArchitecture(config, {name: x.numpy() for name, x in net.state_dict().items()}),
        reference=GatedClassifierOriginal(net),
        source=ImageSource(
            height=config.image_size,
            width=config.image_size,
            mean=(config.mean,) * 3,
            std=(config.std,) * 3,
            resize="squash",
            resample="bilinear",
            grid=config.grid,
        ),
        output=LabelsOutput(labels=config.labels, is_exclusive=True, pooling="mean"),
        tokenizers={},
        max_source_tokens=rows * columns,
        provenance=Provenance(
            source=folder.name,
            recipe=card.get("recipe", ""),
            data=card.get("data", ""),
            data_license=card.get("license", ""),
            weights_license=card.get("weights_license", ""),
        ),
        summary=card.get("description", ""),
        scores=card.get("scores", {}),
    )


class GatedClassifierOriginal:
    """The net, see `GatedReference`."""

    def __init__(self, net: GatedClassifier) -> None:
        self.name = f"{type(net).__name__}, PyTorch {torch.__version__}"
        self._net = net

    def outputs(self, source: Source) -> dict[str, Float32Array]:
        """See `EncoderReference`."""
        return {LOGITS: self._run(source).logits[0].numpy()}

    def attention(self, source: Source) -> Float32Array | None:
        """None: there is no self-attention."""
        return None

    def gates(self, source: Source) -> dict[str, Float32Array]:
        """See `GatedReference`."""
        output = self._run(source)
        found = {"channel": output.channel, "spatial": output.spatial}
        return {kind: gates[0].flatten(1).numpy() for kind, gates in found.items() if gates is not None}

    @torch.inference_mode()
    def _run(self, source: Source) -> GatedOutput:
        output: GatedOutput = self._net(torch.from_numpy(as_array(source))[None])
        return output
