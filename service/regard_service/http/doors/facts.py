"""What doors tell of a server."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ServerFacts:
    """The limits that APIs of others state.

    Attributes:
        max_text_characters: of a text.
        max_inputs: of a call.
        max_document_bytes: of a file.
        needs_tokens: whether calls need a token.
    """

    max_text_characters: int
    max_inputs: int
    max_document_bytes: int
    needs_tokens: bool
