"""How outputs are decoded where nobody says how."""

from regard_service.bundle import Manifest
from regard_service.generation import Generation


def default_generation(manifest: Manifest, max_new_tokens: int) -> Generation:
    """The model's own settings, with outputs of at most `max_new_tokens`."""
    settings = manifest.generation
    limit = min(settings.max_new_tokens, max_new_tokens)
    min_new_tokens = min(settings.min_new_tokens, limit)
    return Generation(**{**settings.model_dump(), "max_new_tokens": limit, "min_new_tokens": min_new_tokens})
