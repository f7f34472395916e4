"""The calls of the Open Inference Protocol, and its errors: `{"error": TEXT}`."""

from starlette.responses import JSONResponse, Response

from regard_service.http.doors.door import Door, DoorCall
from regard_service.http.doors.open_inference import calls
from regard_service.http.doors.open_inference.described import PREFIX, describe
from regard_service.http.problems import Problem


def refuse(problem: Problem) -> Response:
    """Writes an error; every bad field is named in the text."""
    response = problem.response()
    headers = {name: response.headers[name] for name in ("retry-after", "www-authenticate") if name in response.headers}
    return JSONResponse({"error": problem.detail}, problem.status, headers)


_MODEL = "/models/{model}"
_VERSION = _MODEL + "/versions/{version}"

OPEN_INFERENCE = Door(
    name="open_inference",
    prefix=PREFIX,
    calls=(
        DoorCall("ServerMetadata", ("GET",), "", calls.nothing, calls.server_metadata),
        DoorCall("ServerLive", ("GET",), "/health/live", calls.nothing, calls.server_live, scope=None),
        DoorCall("ServerReady", ("GET",), "/health/ready", calls.nothing, calls.server_ready, scope=None),
        DoorCall("ModelMetadata", ("GET",), _MODEL, calls.model, calls.model_metadata),
        DoorCall("ModelReady", ("GET",), _MODEL + "/ready", calls.model, calls.model_ready),
        DoorCall("ModelConfig", ("GET",), _MODEL + "/config", calls.model, calls.model_config),
        DoorCall(
            "ModelInfer", ("POST",), _MODEL + "/infer", calls.read_infer, calls.model_infer, json_of=calls.json_of
        ),
        DoorCall("VersionMetadata", ("GET",), _VERSION, calls.model, calls.model_metadata),
        DoorCall("VersionReady", ("GET",), _VERSION + "/ready", calls.model, calls.model_ready),
        DoorCall("VersionConfig", ("GET",), _VERSION + "/config", calls.model, calls.model_config),
        DoorCall(
            "VersionInfer",
            ("POST",),
            _VERSION + "/infer",
            calls.read_infer,
            calls.model_infer,
            json_of=calls.json_of,
        ),
    ),
    refuse=refuse,
    describe=describe,
)
