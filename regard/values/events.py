"""Events of a stream before its last."""

from dataclasses import dataclass, field
from typing import Any

from regard.v1 import regard_pb2 as pb
from regard.values.maps import AttentionMap, described, read_maps
from regard.values.outputs import ImageGrid
from regard.values.units import Token, Word, read_source_tokens, read_target_token, read_words
from regard.wire import as_json


@dataclass(frozen=True)
class Started:
    """First event of a stream: the server has read the source. Attributes as in `Result`."""

    model: str
    model_version: str
    source_tokens: tuple[Token, ...]
    source_words: tuple[Word, ...]
    image_grid: ImageGrid | None
    truncated: bool
    num_truncated_tokens: int
    message: pb.StartedEvent = field(repr=False, compare=False)

    def __repr__(self) -> str:
        return f"<Started {self.model}@{self.model_version}, {len(self.source_tokens)} source tokens>"

    def to_dict(self) -> dict[str, Any]:
        """The event as a JSON object: {"started": ...}."""
        return {"started": as_json.to_dict(self.message)}

    @classmethod
    def from_message(cls, message: pb.StartedEvent) -> "Started":
        """Reads a StartedEvent of the API."""
        return cls(
            model=message.model,
            model_version=message.model_version,
            source_tokens=read_source_tokens(message.source_tokens),
            source_words=read_words(message.source_words),
            image_grid=ImageGrid.from_message(message.image_grid) if message.HasField("image_grid") else None,
            truncated=message.truncated,
            num_truncated_tokens=message.num_truncated_tokens,
            message=message,
        )


@dataclass(frozen=True)
class TokenMade:
    """One more token of the output is final.

    Attributes:
        index: the token's position in the output, from 0.
        token: the token.
        text_delta: the text that became final with it; all deltas joined are the finished text.
        attention: the token's row of each map that the call asks for.
    """

    index: int
    token: Token
    text_delta: str
    attention: tuple[AttentionMap, ...]
    message: pb.TokenEvent = field(repr=False, compare=False)

    def __repr__(self) -> str:
        return f"<TokenMade {self.index} {self.text_delta!r}{described(self.attention)}>"

    def to_dict(self) -> dict[str, Any]:
        """The event as a JSON object: {"token": ...}."""
        return {"token": as_json.to_dict(self.message)}

    @classmethod
    def from_message(cls, message: pb.TokenEvent) -> "TokenMade":
        """Reads a TokenEvent of the API."""
        token = read_target_token(message.token)
        return cls(message.index, token, message.text_delta, read_maps(message.attention), message)
