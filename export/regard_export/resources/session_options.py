"""Options of sessions that nobody serves from: for graphs that are only looked at, or compared with."""

import os

from onnxruntime import SessionOptions


def save_memory(options: SessionOptions) -> None:
    """Leaves weights in their file, which is mapped, and gives memory of activations back when a call ends."""
    options.add_session_config_entry("session.disable_prepacking", "1")
    options.enable_cpu_mem_arena = False


def use_threads(options: SessionOptions, number: int) -> None:
    """Lets products take several threads, which sleep while they wait, since others may be at work."""
    options.intra_op_num_threads = number
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
