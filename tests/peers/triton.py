"""Triton's client, unmodified, against a Regard server: prints what it got, as JSON.

    python tests/peers/triton.py HOST:PORT DESCRIPTORS VERSION

Runs in an environment, and a process, of its own: two definitions of package "inference" cannot share one. DESCRIPTORS
is our FileDescriptorProto, to be compared with the client's; VERSION is that of the model.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.grpc as triton
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto
from tritonclient.grpc import model_config_pb2, service_pb2

TEXTS = ["Where is the library?", "My sister sleeps.", "Nobody likes coffee without sugar."]
VERSION = sys.argv[3] if len(sys.argv) > 3 else ""


def main(target: str, descriptors: Path) -> dict[str, object]:
    with triton.InferenceServerClient(target) as client:
        return {
            "live": client.is_server_live(),
            "ready": client.is_server_ready(),
            "model_ready": client.is_model_ready("everyday"),
            "version_ready": client.is_model_ready("everyday", VERSION),
            "other_ready": client.is_model_ready("nothing"),
            "server": client.get_server_metadata(as_json=True),
            "metadata": client.get_model_metadata("everyday", as_json=True),
            "config": client.get_model_config("everyday", as_json=True),
            "answer": answer(client),
            "texts_only": texts_only(client),
            "errors": errors(client),
            "contract": differences(FileDescriptorProto.FromString(descriptors.read_bytes())),
        }


def text_input(texts: list[str], name: str = "text") -> triton.InferInput:
    tensor = triton.InferInput(name, [len(texts)], "BYTES")
    tensor.set_data_from_numpy(np.array([text.encode() for text in texts], dtype=np.object_))
    return tensor


def answer(client: triton.InferenceServerClient) -> dict[str, object]:
    """All outputs, since none is named."""
    got = client.infer(
        "everyday", [text_input(TEXTS)], request_id="7", parameters={"target_language": "de", "num_beams": 4}
    )
    names = [output.name for output in got.get_response().outputs]
    tensors = {name: got.as_numpy(name) for name in names}
    return {"id": got.get_response().id, "tensors": {name: plain(value) for name, value in tensors.items()}}


def plain(tensor: np.ndarray) -> dict[str, object]:
    values = np.char.decode(tensor.astype(np.bytes_)) if tensor.dtype == np.object_ else tensor
    return {"shape": list(tensor.shape), "dtype": str(tensor.dtype), "values": values.tolist()}


def texts_only(client: triton.InferenceServerClient) -> list[str]:
    """One output, of a version."""
    got = client.infer(
        "everyday",
        [text_input(TEXTS)],
        model_version=VERSION,
        outputs=[triton.InferRequestedOutput("text")],
        parameters={"target_language": "de", "num_beams": 4},
    )
    assert [output.name for output in got.get_response().outputs] == ["text"]
    return [text.decode() for text in got.as_numpy("text")]


def errors(client: triton.InferenceServerClient) -> dict[str, list[str]]:
    """Status and message of calls that cannot be served."""
    de = {"target_language": "de"}
    one = [text_input(TEXTS[:1])]
    calls = {
        "model": lambda: client.infer("nothing", one),
        "language": lambda: client.infer("everyday", one, parameters={"target_language": "xx"}),
        "input": lambda: client.infer("everyday", [text_input(TEXTS, "image")], parameters=de),
        "output": lambda: client.infer("everyday", one, outputs=[triton.InferRequestedOutput("x")], parameters=de),
        "parameter": lambda: client.infer("everyday", one, parameters=de | {"beams": 4}),
        "bounds": lambda: client.infer("everyday", one, parameters=de | {"num_beams": 99}),
        "type": lambda: client.infer("everyday", one, parameters=de | {"num_beams": "four"}),
        "empty": lambda: client.infer("everyday", [text_input([TEXTS[0], " "])], parameters=de | {"raw": True}),
        "statistics": lambda: client.get_inference_statistics("everyday"),
    }
    found = {}
    for name, call in calls.items():
        try:
            call()
        except triton.InferenceServerException as error:
            found[name] = [str(error.status()), str(error.message())]
    return found


def differences(ours: FileDescriptorProto) -> list[str]:
    """Where our messages and methods are not what the client has under the same name."""
    theirs: dict[str, Any] = {}  # messages, enums and services
    for module in (service_pb2, model_config_pb2):
        file = FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        theirs |= {message.name: message for message in file.message_type}
        theirs |= {enum.name: enum for enum in file.enum_type}
        theirs |= {service.name: service for service in file.service}
    found = []
    for message in ours.message_type:
        found += message_differences(message.name, message, theirs[message.name])
    for enum in ours.enum_type:
        known = {value.name: value.number for value in theirs[enum.name].value}
        found += [f"{enum.name}.{v.name}" for v in enum.value if known.get(v.name) != v.number]
    for service in ours.service:
        known_methods = {m.name: (m.input_type, m.output_type) for m in theirs[service.name].method}
        found += [m.name for m in service.method if known_methods.get(m.name) != (m.input_type, m.output_type)]
    return found


def message_differences(path: str, ours: DescriptorProto, theirs: DescriptorProto) -> list[str]:
    def facts(message: DescriptorProto) -> dict[str, tuple[object, ...]]:
        return {f.name: (f.number, f.type, f.label, f.type_name, f.HasField("oneof_index")) for f in message.field}

    known = facts(theirs)
    found = [f"{path}.{name}" for name, fact in facts(ours).items() if known.get(name) != fact]
    nested = {message.name: message for message in theirs.nested_type}
    for message in ours.nested_type:
        found += message_differences(f"{path}.{message.name}", message, nested[message.name])
    return found


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]))))  # noqa: T201
