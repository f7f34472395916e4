"""ModelService: which models there are; loading and unloading them."""

from collections.abc import Callable, Iterable
from typing import Any

import grpc

from regard.v1 import regard_pb2 as pb
from regard.v1 import regard_pb2_grpc as pb_grpc
from regard_service.calls.handlers import Handlers
from regard_service.convert.models import write_model
from regard_service.convert.requests import (
    ModelPage,
    read_list_models,
    read_load_model,
    read_model_name,
    write_page_token,
)
from regard_service.domain import ModelInfo
from regard_service.errors import ModelNotFound
from regard_service.repository.versions import version_key

Context = grpc.aio.ServicerContext[Any, Any]


class ModelServicer(pb_grpc.ModelServiceServicer):
    """Converts, calls a handler, converts back.

    Args:
        on_change: runs after a model was loaded or unloaded.
    """

    def __init__(self, handlers: Handlers, on_change: Callable[[], None]) -> None:
        self._handlers = handlers
        self._on_change = on_change

    async def ListModels(self, request: pb.ListModelsRequest, context: Context) -> pb.ListModelsResponse:  # noqa: N802
        page = read_list_models(request)
        models, next_token = page_of(self._handlers.models(), page)
        return pb.ListModelsResponse(models=map(write_model, models), next_page_token=next_token)

    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.GetModelResponse:  # noqa: N802
        name, version = read_model_name(request)
        return pb.GetModelResponse(model=write_model(find(self._handlers.models(), name, version)))

    async def LoadModel(self, request: pb.LoadModelRequest, context: Context) -> pb.LoadModelResponse:  # noqa: N802
        try:
            info = await self._handlers.load_model(*read_load_model(request))
        finally:
            self._on_change()  # a name that does not serve may have failed now
        return pb.LoadModelResponse(model=write_model(info))

    async def UnloadModel(  # noqa: N802
        self, request: pb.UnloadModelRequest, context: Context
    ) -> pb.UnloadModelResponse:
        name, version = read_model_name(request)
        await self._handlers.unload_model(name, version)
        self._on_change()
        await self._handlers.wait_until_freed(name)
        return pb.UnloadModelResponse()


def page_of(models: Iterable[ModelInfo], page: ModelPage) -> tuple[list[ModelInfo], str]:
    """A page, by name and then by version, newest first, and the token of the next one; "" if it is the last."""
    fitting = [model for model in in_order(models) if page.task is None or _task(model) == page.task]
    if page.after is not None:
        fitting = [model for model in fitting if _comes_after(model, *page.after)]
    shown = fitting[: page.size]
    token = write_page_token(page.task, shown[-1].name, _version(shown[-1])) if len(fitting) > len(shown) else ""
    return shown, token


def in_order(models: Iterable[ModelInfo]) -> list[ModelInfo]:
    newest_first = sorted(models, key=lambda model: version_key(_version(model)), reverse=True)
    return sorted(newest_first, key=lambda model: model.name)


def _comes_after(model: ModelInfo, name: str, version: str) -> bool:
    is_older = version_key(_version(model)) < version_key(version)
    return model.name > name or (model.name == name and is_older)


def find(models: Iterable[ModelInfo], name: str, version: str | None) -> ModelInfo:
    """The model of that name and version; without a version the one that serves, or else the newest."""
    named = [model for model in in_order(models) if model.name == name and version in (None, _version(model))]
    serving = [model for model in named if model.state == "ready"]
    if not named:
        known = ", ".join(f"{model.name}@{_version(model)}" for model in in_order(models))
        wanted = name if version is None else f"{name}@{version}"
        raise ModelNotFound(f"there is no model {wanted!r}; there are: {known or 'none'}")
    return (serving or named)[0]


def _task(model: ModelInfo) -> str | None:
    return None if model.manifest is None else model.manifest.task


def _version(model: ModelInfo) -> str:
    return "" if model.manifest is None else model.manifest.version
