"""A model of a server."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from regard.errors import NotFound
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


def version_before(models: Sequence[Model], name: str) -> str:
    """The version before the one that serves.

    Args:
        models: the server's, newest first.

    Raises:
        NotFound: no version of the model serves, or there is none before it.
    """
    versions = [model for model in models if model.name == name]
    serving = next((index for index, model in enumerate(versions) if model.state == "ready"), None)
    if serving is None:
        raise NotFound("NOT_FOUND", f"no version of {name!r} serves", "MODEL_NOT_FOUND")
    if serving + 1 == len(versions):
        before = versions[serving].version
        raise NotFound("NOT_FOUND", f"there is no version of {name!r} before {before!r}", "MODEL_NOT_FOUND")
    return versions[serving + 1].version
