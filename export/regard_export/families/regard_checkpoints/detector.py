"""Checkpoints of our detector."""

from pathlib import Path

import torch

from regard.arrays import Float32Array
from regard_export.architectures.detector import DetectorArchitecture
from regard_export.checkpoints.encoder_model import EncoderModel
from regard_export.checkpoints.files import require_files
from regard_export.checkpoints.source_model import LoadOptions
from regard_export.errors import ExportError
from regard_export.references.protocols import Source, as_array
from regard_models.nets.detector import Detector, DetectorConfig
from regard_models.picture_checkpoint import PictureCheckpoint
from regard_service.bundle import BOX_LOGITS, BOXES, BoxesOutput, ImageSource, Provenance

FAMILY = "regard-detector"


def load(folder: Path, load_options: LoadOptions) -> EncoderModel:
    """Reads a checkpoint's folder. Raises ExportError if it is damaged, or does not do the chosen task."""
    if load_options.task not in (None, "detection"):
        raise ExportError(f"this checkpoint does detection, not {load_options.task}")
    require_files(folder, "config.json", "model.safetensors", "card.json")
    checkpoint = PictureCheckpoint.load(folder)
    settings = {name: value for name, value in checkpoint.config.items() if name != "family"}
    config = DetectorConfig.from_json(settings)
    net = Detector(config).eval()
    net.load_state_dict(checkpoint.weights)
    rows, columns = config.grid
    card = checkpoint.card
    return EncoderModel(
        family=FAMILY,
        task="detection",
        architecture=DetectorArchitecture(config, {name: x.numpy() for name, x in net.state_dict().items()}),
        reference=DetectorOriginal(net),
        source=ImageSource(
            height=config.image_size,
            width=config.image_size,
            mean=(config.mean,) * 3,
            std=(config.std,) * 3,
            resize="squash",
            resample="bilinear",
            grid=config.grid,
        ),
        output=BoxesOutput(labels=config.labels, is_exclusive=False, queries=rows * columns),
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


class DetectorOriginal:
    """The net, see `QueryReference`."""

    def __init__(self, net: Detector) -> None:
        self.name = f"{type(net).__name__}, PyTorch {torch.__version__}"
        self._net = net

    @torch.inference_mode()
    def outputs(self, source: Source) -> dict[str, Float32Array]:
        """See `EncoderReference`."""
        logits, boxes = self._net(torch.from_numpy(as_array(source))[None]).decoded()
        return {BOX_LOGITS: logits[0].numpy(), BOXES: boxes[0].numpy()}

    def attention(self, source: Source) -> Float32Array | None:
        """None: the cells attend as queries."""
        return None

    @torch.inference_mode()
    def cross_attention(self, source: Source) -> Float32Array | None:
        """See `QueryReference`."""
        weights = self._net(torch.from_numpy(as_array(source))[None]).weights
        return None if weights is None else weights[None].numpy()
