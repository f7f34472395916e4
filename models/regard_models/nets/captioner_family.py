"""Builds the captioner that a checkpoint's config.json names, and converts its weights from and to checkpoints."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from regard_models.nets.captioner import Captioner
from regard_models.nets.captioner_lstm import LstmCaptioner, LstmCaptionerConfig
from regard_models.nets.captioner_transformer import TransformerCaptioner, TransformerCaptionerConfig

TRANSFORMER = "regard-captioner-transformer"
LSTM = "regard-captioner-lstm"

CaptionerConfig = TransformerCaptionerConfig | LstmCaptionerConfig


def read_config(options: Mapping[str, Any]) -> CaptionerConfig:
    """Reads the architecture from a config.json.

    Raises:
        ValueError: the family is no captioner, or its options are invalid.
    """
    stated = {name: value for name, value in options.items() if name != "family"}
    try:
        match options.get("family"):
            case "regard-captioner-transformer":
                return TransformerCaptionerConfig.from_json(stated)
            case "regard-captioner-lstm":
                return LstmCaptionerConfig.from_json(stated)
            case family:
                raise ValueError(f"{family!r} is no family of captioners")
    except (KeyError, TypeError) as error:
        raise ValueError(f"the options do not fit the family {options['family']!r}: {error}") from error


def write_config(config: CaptionerConfig) -> dict[str, Any]:
    """The inverse of `read_config`."""
    family = TRANSFORMER if isinstance(config, TransformerCaptionerConfig) else LSTM
    return {"family": family, **config.to_json()}


def build(config: CaptionerConfig, *, dropout: float = 0.0, feature_dropout: float = 0.0) -> Captioner:
    """Builds a net with random weights, including its encoder."""
    if isinstance(config, TransformerCaptionerConfig):
        return TransformerCaptioner(config, dropout=dropout, feature_dropout=feature_dropout)
    return LstmCaptioner(config, dropout=dropout, feature_dropout=feature_dropout)


def stored_weights(net: Captioner) -> dict[str, Tensor]:
    """The weights for a checkpoint, which contains a tied table once."""
    weights = net.state_dict()
    if isinstance(net, TransformerCaptioner) and net.config.transformer.tie_embeddings:
        del weights["transformer.head.weight"]
    return weights


def load_weights(net: Captioner, stored: Mapping[str, Tensor]) -> None:
    """Loads the weights of a checkpoint into a net.

    Raises:
        RuntimeError: weights are missing, unexpected or misshapen.
    """
    weights = dict(stored)
    if isinstance(net, TransformerCaptioner) and net.config.transformer.tie_embeddings:
        weights["transformer.head.weight"] = weights["transformer.embedding.weight"]
    net.load_state_dict(weights)
