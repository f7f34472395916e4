"""A trained model of any kind."""

from regard_export.checkpoints.encoder_model import EncoderModel
from regard_export.checkpoints.source_model import SourceModel
from regard_export.errors import ExportError

AnyModel = SourceModel | EncoderModel


def as_writer(model: AnyModel, option: str) -> SourceModel:
    """A model that writes text. Raises ExportError, which names the option that needs one, for others."""
    if isinstance(model, EncoderModel):
        raise ExportError(f"{option} has no meaning for {model.task}")
    return model
