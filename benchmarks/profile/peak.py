"""Measures the machine's peaks: 8-bit matrix products and memory reads."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

SIZE = 1024  # of the square matrices, which fit in the caches
NUM_BYTES = 2**28  # far larger than all caches
REPEATS = 8


def int8_macs_per_s(num_threads: int) -> float:
    """Multiply-accumulates per second of uint8 by int8 matrices in ONNX Runtime, with the server's session options."""
    sessions = [_product() for _ in range(num_threads)]
    values = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE)).astype(np.uint8)

    def run(number: int) -> None:
        sessions[number].run(None, {"values": values})

    return num_threads * SIZE**3 / _fastest_s(run, num_threads)


def bytes_read_per_s(num_threads: int) -> float:
    """Bytes per second that threads read from memory, each from its own array."""
    arrays = [np.ones(NUM_BYTES // 4, np.float32) for _ in range(num_threads)]

    def run(number: int) -> None:
        arrays[number].max()  # vectorized, and releases the GIL

    return num_threads * NUM_BYTES / _fastest_s(run, num_threads)


def _fastest_s(run: Callable[[int], None], num_threads: int) -> float:
    with ThreadPoolExecutor(num_threads) as pool:
        times = []
        for _ in range(REPEATS):
            started = time.perf_counter()
            list(pool.map(run, range(num_threads)))
            times.append(time.perf_counter() - started)
    return min(times)


def _product() -> onnxruntime.InferenceSession:
    weights = np.random.default_rng(1).integers(-127, 128, (SIZE, SIZE)).astype(np.int8)
    node = helper.make_node("MatMulInteger", ["values", "weights", "zero"], ["product"])
    graph = helper.make_graph(
        [node], "product",
        [helper.make_tensor_value_info("values", TensorProto.UINT8, [SIZE, SIZE])],
        [helper.make_tensor_value_info("product", TensorProto.INT32, [SIZE, SIZE])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(np.array(128, np.uint8), "zero")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.x64quantprecision", "1")
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
