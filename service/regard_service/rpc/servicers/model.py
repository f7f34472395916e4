"""ModelService: lists, describes, loads and unloads models."""

from collections.abc import Callable, Iterable
from typing import Any

import grpc

from regard.v1 import regard_pb2 as pb
from regard.v1 import regard_pb2_grpc as pb_grpc
from regard_service.bundle import version_key
from regard_service.convert.model_requests import (
    ModelPage,
    read_list_models,
    read_load_model,
    read_model_name,
    write_page_token,
)
from regard_service.convert.models import write_model
from regard_service.domain.models import ModelInfo, find, in_order
from regard_service.repository.administration import ModelAdministration

Context = grpc.aio.ServicerContext[Any, Any]


class ModelServicer(pb_grpc.ModelServiceServicer):
    """Converts, calls the administration, converts back.

    Args:
        on_change: runs after a model was loaded or unloaded.
    """

    def __init__(self, models: ModelAdministration, on_change: Callable[[], None]) -> None:
        self._models = models
        self._on_change = on_change

    async def ListModels(self, request: pb.ListModelsRequest, context: Context) -> pb.ListModelsResponse:  # noqa: N802
        """Lists models page by page."""
        page = read_list_models(request)
        models, next_token = page_of(self._models.infos(), page)
        return pb.ListModelsResponse(models=map(write_model, models), next_page_token=next_token)

    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.GetModelResponse:  # noqa: N802
        """Describes one model."""
        name, version = read_model_name(request)
        return pb.GetModelResponse(model=write_model(find(self._models.infos(), name, version)))

    async def LoadModel(self, request: pb.LoadModelRequest, context: Context) -> pb.LoadModelResponse:  # noqa: N802
        """Loads a model; the version that it replaces finishes its requests."""
        try:
            info = await self._models.load(*read_load_model(request))
        finally:
            self._on_change()  # a model that does not serve may have become "failed"
        return pb.LoadModelResponse(model=write_model(info))

    async def UnloadModel(  # noqa: N802
        self, request: pb.UnloadModelRequest, context: Context
    ) -> pb.UnloadModelResponse:
        """Unloads a model; responds once its memory is freed."""
        name, version = read_model_name(request)
        await self._models.unload(name, version)
        self._on_change()
        await self._models.wait_until_freed(name)
        return pb.UnloadModelResponse()


def page_of(models: Iterable[ModelInfo], page: ModelPage) -> tuple[list[ModelInfo], str]:
    """Returns a page, by name and then newest version first, and the token of the next page; "" on the last one."""
    fitting = [model for model in in_order(models) if page.task is None or model.task == page.task]
    if page.after is not None:
        fitting = [model for model in fitting if _comes_after(model, *page.after)]
    shown = fitting[: page.size]
    token = write_page_token(page.task, shown[-1].name, shown[-1].version) if len(fitting) > len(shown) else ""
    return shown, token


def _comes_after(model: ModelInfo, name: str, version: str) -> bool:
    is_older = version_key(model.version) < version_key(version)
    return model.name > name or (model.name == name and is_older)
