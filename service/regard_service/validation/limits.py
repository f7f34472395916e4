"""A server's limits of a call."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CallLimits:
    """The limits that the settings of the same names describe.

    Attributes:
        max_inputs_per_call: texts or pictures.
        default_deadline_s: None takes `max_deadline_s`.
    """

    max_inputs_per_call: int = 128
    max_text_characters: int = 20_000
    max_image_bytes: int = 10 * 2**20
    max_document_bytes: int = 16 * 2**20
    default_deadline_s: float | None = None
    max_deadline_s: float = 600.0
