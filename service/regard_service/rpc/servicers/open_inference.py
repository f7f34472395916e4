"""The Open Inference Protocol, for clients of KServe and Triton."""

import importlib.metadata
import math
from functools import partial
from typing import Any

import grpc

from regard.v1 import regard_pb2 as pb
from regard_service.bundle import Manifest
from regard_service.calls.data_plane import DataPlane
from regard_service.convert.one_step import read_classify, read_detect, read_encode
from regard_service.convert.open_inference.one_step import write_one_step_response
from regard_service.convert.open_inference.requests import (
    as_open_inference_error,
    read_outputs,
    read_request,
)
from regard_service.convert.open_inference.responses import write_infer_response
from regard_service.convert.open_inference.tensors import write_config, write_metadata
from regard_service.convert.requests import RequestReader
from regard_service.convert.responses import are_large
from regard_service.domain.calls import AttentionOptions
from regard_service.domain.models import find, unready_reasons
from regard_service.domain.outputs import ClassifyResult, DetectResult, EncodeResult
from regard_service.domain.results import Result
from regard_service.errors import InvalidInput, ModelNotFound, NotReady
from regard_service.observability import logs
from regard_service.observability.metrics import AttentionMetrics
from regard_service.open_inference import open_inference_pb2 as v2
from regard_service.open_inference import open_inference_pb2_grpc as v2_grpc
from regard_service.repository.administration import ModelAdministration

SERVICE = v2.DESCRIPTOR.services_by_name["GRPCInferenceService"]
EXTENSIONS = ("model_configuration",)
FLOAT32_MAPS = AttentionOptions()
"""The encoding of maps in this protocol."""

Generating = pb.TranslateRequest | pb.SummarizeRequest | pb.CaptionRequest
Context = grpc.aio.ServicerContext[Any, Any]


class OpenInferenceServicer(v2_grpc.GRPCInferenceServiceServicer):
    """Converts, calls the data plane, converts back."""

    def __init__(
        self,
        data_plane: DataPlane,
        models: ModelAdministration,
        reader: RequestReader,
        sent_maps: AttentionMetrics,
        max_answer_bytes: float = math.inf,
    ) -> None:
        self._max_answer_bytes = max_answer_bytes
        self._data_plane = data_plane
        self._models = models
        self._reader = reader
        self._sent_maps = sent_maps

    async def ServerLive(self, request: v2.ServerLiveRequest, context: Context) -> v2.ServerLiveResponse:  # noqa: N802
        """Always live: a process that answers."""
        return v2.ServerLiveResponse(live=True)

    async def ServerReady(  # noqa: N802
        self, request: v2.ServerReadyRequest, context: Context
    ) -> v2.ServerReadyResponse:
        """Whether requests that name no model can be served."""
        return v2.ServerReadyResponse(ready=not unready_reasons(self._models.infos()))

    async def ModelReady(self, request: v2.ModelReadyRequest, context: Context) -> v2.ModelReadyResponse:  # noqa: N802
        """Whether a model serves."""
        try:
            self.manifest(request.name, request.version)
        except (ModelNotFound, NotReady):
            return v2.ModelReadyResponse(ready=False)
        return v2.ModelReadyResponse(ready=True)

    async def ServerMetadata(  # noqa: N802
        self, request: v2.ServerMetadataRequest, context: Context
    ) -> v2.ServerMetadataResponse:
        """Names the server, its version and its extensions."""
        return v2.ServerMetadataResponse(
            name="regard", version=importlib.metadata.version("regard"), extensions=EXTENSIONS
        )

    async def ModelMetadata(  # noqa: N802
        self, request: v2.ModelMetadataRequest, context: Context
    ) -> v2.ModelMetadataResponse:
        """Describes a model's tensors."""
        return write_metadata(self.manifest(request.name, request.version))

    async def ModelConfig(  # noqa: N802
        self, request: v2.ModelConfigRequest, context: Context
    ) -> v2.ModelConfigResponse:
        """Describes a model's tensors in Triton's form."""
        return v2.ModelConfigResponse(config=write_config(self.manifest(request.name, request.version)))

    async def ModelInfer(self, request: v2.ModelInferRequest, context: Context) -> v2.ModelInferResponse:  # noqa: N802
        """Runs a model on the elements of its input."""
        manifest = self.manifest(request.model_name, request.model_version)
        outputs = read_outputs(request, manifest)
        try:
            own = read_request(request, manifest, outputs, self._reader.max_inputs)
            if isinstance(own, pb.EncodeRequest | pb.ClassifyRequest | pb.DetectRequest):
                made = await self._run_one_step(own, context.time_remaining())
                logs.note(model=f"{manifest.name}@{manifest.version}", num_inputs=len(made))
                return write_one_step_response(request, outputs, made, manifest.output)
            results = await self._run(own, context.time_remaining())
        except InvalidInput as error:
            raise as_open_inference_error(error) from error
        logs.note(model=f"{manifest.name}@{manifest.version}", num_inputs=len(results))
        for result in results:
            self._sent_maps.count(result.model, result.hypotheses[0].maps, FLOAT32_MAPS)
        write = partial(write_infer_response, request, outputs, results, self._max_answer_bytes)
        return await self._data_plane.apart(write) if are_large(results) else write()

    async def _run_one_step(
        self, request: pb.EncodeRequest | pb.ClassifyRequest | pb.DetectRequest, time_remaining: float | None
    ) -> list[EncodeResult] | list[ClassifyResult] | list[DetectResult]:
        if isinstance(request, pb.EncodeRequest):
            return await self._data_plane.encode(read_encode(request, self._reader, time_remaining))
        if isinstance(request, pb.DetectRequest):
            return await self._data_plane.detect_objects(read_detect(request, self._reader, time_remaining))
        return await self._data_plane.classify(read_classify(request, self._reader, time_remaining))

    async def _run(self, request: Generating, time_remaining: float | None) -> list[Result]:
        if isinstance(request, pb.TranslateRequest):
            return await self._data_plane.translate(self._reader.translate(request, time_remaining))
        if isinstance(request, pb.SummarizeRequest):
            return await self._data_plane.summarize(self._reader.summarize(request, time_remaining))
        return await self._data_plane.caption(self._reader.caption(request, time_remaining))

    def manifest(self, name: str, version: str) -> Manifest:
        """Returns the manifest of a model that serves; raises ModelNotFound, NotReady."""
        model = find(self._models.infos(), name, version or None)
        if model.state != "ready" or model.manifest is None:
            raise NotReady(f"model {name!r} is {model.state}")
        return model.manifest
