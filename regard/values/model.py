"""A model of a server."""

from dataclasses import dataclass, field
from typing import Any, cast

from regard.names import AttentionKind, ModelState, Task
from regard.v1 import regard_pb2 as pb
from regard.wire import as_json, enums


@dataclass(frozen=True)
class Model:
    """A model of a server. `message` has further fields (scores, sizes, defaults); `to_dict` returns them all."""

    name: str
    version: str
    task: Task
    family: str
    is_default: bool
    state: ModelState
    state_reasons: tuple[str, ...]
    source_languages: tuple[str, ...]
    target_languages: tuple[str, ...]
    styles: tuple[str, ...]
    control_tokens: tuple[str, ...]
    provider: str
    precision: str
    has_shortlist: bool
    attention_kinds: tuple[AttentionKind, ...]
    message: pb.Model = field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as a JSON object: the proto's field names."""
        return as_json.to_dict(self.message)

    @classmethod
    def from_message(cls, message: pb.Model) -> "Model":
        """Reads a Model of the API."""
        kinds = (enums.ATTENTION_KIND.name_if_known(layout.kind) for layout in message.attention_kinds)
        return cls(
            name=message.name,
            version=message.version,
            task=cast(Task, enums.TASK.name_if_known(message.task)),
            family=message.family,
            is_default=message.is_default,
            state=cast(ModelState, enums.MODEL_STATE.name_if_known(message.state)),
            state_reasons=tuple(message.state_reasons),
            source_languages=tuple(message.source_languages),
            target_languages=tuple(message.target_languages),
            styles=tuple(message.styles),
            control_tokens=tuple(message.control_tokens),
            provider=message.provider,
            precision=message.precision,
            has_shortlist=message.has_shortlist,
            attention_kinds=cast(tuple[AttentionKind, ...], tuple(kinds)),
            message=message,
        )
