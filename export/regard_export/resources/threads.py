"""How many threads PyTorch uses, if it is loaded."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def half_of_torch_threads() -> Iterator[None]:
    """Halves PyTorch's threads: beside other work, threads that wait for each other are many times slower."""
    torch = sys.modules.get("torch")
    if torch is None:  # no original runs in it
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, threads // 2))
    try:
        yield
    finally:
        torch.set_num_threads(threads)
