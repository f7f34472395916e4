"""How soon a thread gets the interpreter from another that holds it.

An engine worker gives the interpreter away with each step, and waits for it behind whatever thread runs Python: up to a
switch interval (`sys.setswitchinterval`). A short interval costs processor time, because calls are handled in several
goes. A long one costs a request thirty times itself, once a step: 15 ms of half a millisecond. So it is short only
while a thread works for one caller and others wait for theirs.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SHORT_INTERVAL_S = 0.00005

_lock = threading.Lock()
_num_threads = 0
_usual_s = 0.0


@contextmanager
def interpreter_shared() -> Iterator[None]:
    """Shortens the switch interval while any thread is within the block."""
    global _num_threads, _usual_s  # as the interval is the process'
    with _lock:
        _num_threads += 1
        if _num_threads == 1:
            _usual_s = sys.getswitchinterval()
            sys.setswitchinterval(min(_usual_s, SHORT_INTERVAL_S))
    try:
        yield
    finally:
        with _lock:
            _num_threads -= 1
            if not _num_threads:
                sys.setswitchinterval(_usual_s)
