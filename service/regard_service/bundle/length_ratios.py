"""How long outputs are for their sources, by what the characters of their scripts say."""

import re
from collections.abc import Iterable

from pydantic import Field

from regard_service.bundle.schema import Schema

# Added to both lengths, so that short texts may differ much.
_SLACK = 12.0
# A Chinese character, a kana or a Korean syllable says about as much as so many letters.
_WIDE_LETTERS = 2.5
_WIDE = re.compile("[\u3040-\u9fff\uac00-\ud7a3]")

# Ratios that translations of people hardly exceed are exceeded by this factor before an output is unusual.
_MARGIN = 1.5
_MIN_EXAMPLES = 100
_RARE = 0.002


class LengthRatios(Schema):
    """The least and the greatest usual ratio of an output's length to its source's; see `length_ratio`."""

    least: float = Field(gt=0)
    greatest: float = Field(gt=0)


DEFAULT_LENGTH_RATIOS = LengthRatios(least=0.4, greatest=2.5)


def length_ratio(source: str, target: str) -> float:
    """Returns the ratio of a target's length to its source's, both in letters and with some letters added."""
    return (_letters(target) + _SLACK) / (_letters(source) + _SLACK)


def usual_length_ratios(pairs: Iterable[tuple[str, str]]) -> LengthRatios | None:
    """Returns the ratios that all but a few pairs of sources and targets keep, with a margin; None for few pairs."""
    ratios = sorted(length_ratio(source, target) for source, target in pairs)
    if len(ratios) < _MIN_EXAMPLES:
        return None
    num_rare = int(_RARE * len(ratios))
    return LengthRatios(least=ratios[num_rare] / _MARGIN, greatest=ratios[-1 - num_rare] * _MARGIN)


def _letters(text: str) -> float:
    if text.isascii():
        return len(text)
    return len(text) + (_WIDE_LETTERS - 1) * len(_WIDE.findall(text))
