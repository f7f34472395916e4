"""Which languages write spaces."""

# Languages that write no spaces between sentences.
_UNSPACED = frozenset({"bo", "ja", "jpn", "km", "khm", "lo", "lao", "my", "mya", "th", "tha", "yue", "zh", "zho"})


def is_spaced(language: str) -> bool:
    """Whether a language has spaces between its sentences. Args: language: BCP 47 code."""
    return language.replace("_", "-").split("-")[0].lower() not in _UNSPACED
