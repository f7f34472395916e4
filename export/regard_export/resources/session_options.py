"""ONNX Runtime session options for graphs that only the export runs: they save memory rather than time."""

import os

from onnxruntime import SessionOptions


def minimize_memory(options: SessionOptions) -> None:
    """Leaves weights in their mapped file, and frees the memory of activations after each call."""
    options.add_session_config_entry("session.disable_prepacking", "1")
    options.enable_cpu_mem_arena = False


def set_num_threads(options: SessionOptions, num_threads: int) -> None:
    """Sets the threads of an operator; idle threads sleep instead of spinning, since other work may need the cores."""
    options.intra_op_num_threads = num_threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")


def num_available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
