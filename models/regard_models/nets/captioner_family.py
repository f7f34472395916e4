"""The captioners by the family that a checkpoint's config.json names, and their weights as a checkpoint holds them."""

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
    """The architecture that a config.json states.

    Raises:
        ValueError: the family is not a captioner's, or its options do not fit it.
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
    """What `read_config` reads back."""
    family = TRANSFORMER if isinstance(config, TransformerCaptionerConfig) else LSTM
    return {"family": family, **config.to_json()}


def build(config: CaptionerConfig, *, dropout: float = 0.0, feature_dropout: float = 0.0) -> Captioner:
    """An untrained net; its encoder, too, has random weights."""
    if isinstance(config, TransformerCaptionerConfig):
        return TransformerCaptioner(config, dropout=dropout, feature_dropout=feature_dropout)
    return LstmCaptioner(config, dropout=dropout, feature_dropout=feature_dropout)


def stored_weights(net: Captioner) -> dict[str, Tensor]:
    """The weights that a checkpoint holds: a tied table once."""
    weights = net.state_dict()
    if isinstance(net, TransformerCaptioner) and net.config.transformer.tie_embeddings:
        del weights["transformer.head.weight"]
    return weights


def load_weights(net: Captioner, stored: Mapping[str, Tensor]) -> None:
    """Gives a net the weights of a checkpoint; raises RuntimeError if they do not fit."""
    weights = dict(stored)
    if isinstance(net, TransformerCaptioner) and net.config.transformer.tie_embeddings:
        weights["transformer.head.weight"] = weights["transformer.embedding.weight"]
    net.load_state_dict(weights)
