"""KServe's client, unmodified, against a server: prints what it got as JSON. Argument: the address."""

import asyncio
import json
import sys
from typing import Any

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

ADDRESS = sys.argv[1]


def request(*, binary: bool, language: str = "de") -> InferRequest:
    given = InferInput("text", [1], "BYTES")
    given.set_data_from_numpy(np.array(["Where is the library?"], dtype=object), binary_data=binary)
    parameters = {"target_language": language, "binary_data_output": binary}
    return InferRequest("everyday", [given], parameters=parameters)


async def main() -> None:
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    found: dict[str, Any] = {
        "live": await client.is_server_live(ADDRESS),
        "ready": await client.is_server_ready(ADDRESS),
        "model": [await client.is_model_ready(ADDRESS, name) for name in ("everyday", "nothing")],
    }
    for binary in (True, False):
        answer = await client.infer(ADDRESS, request(binary=binary), model_name="everyday")
        outputs = {output.name: output.as_numpy() for output in answer.outputs}
        found["bytes" if binary else "json"] = [outputs["text"].tolist(), list(outputs["alignment"].shape)]
    try:
        await client.infer(ADDRESS, request(binary=True, language="xx"), model_name="everyday")
    except httpx.HTTPStatusError as error:
        found["error"] = [error.response.status_code, str(error)]
    await client.close()
    json.dump(found, sys.stdout)


asyncio.run(main())
