"""The model that answered, as result files describe it."""

from typing import Self

from pydantic import BaseModel, ConfigDict

from regard import Model


class ServedModel(BaseModel):
    """A model as the server describes it."""

    model_config = ConfigDict(frozen=True)

    name: str
    version: str
    precision: str
    provider: str
    size_mb: float

    @classmethod
    def of(cls, model: Model) -> Self:
        """Takes what the client received about a model."""
        return cls(
            name=model.name,
            version=model.version,
            precision=model.precision,
            provider=model.provider,
            size_mb=round(model.message.size_bytes / 1e6, 1),
        )
