"""A call that costs a server its life must not go through all replicas."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

import regard
from tests.waiting import PATIENCE_S, wait_until

NUM_REPLICAS = 5

# Ends without a word when it is called, as a process that crashes in native code.
MORTAL = """
import os
from concurrent.futures import ThreadPoolExecutor
import grpc

class Dies(grpc.GenericRpcHandler):
    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(lambda request, context: os._exit(9))

server = grpc.server(ThreadPoolExecutor(1))
server.add_generic_rpc_handlers((Dies(),))
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
server.wait_for_termination()
"""


@pytest.fixture
def replicas() -> Iterator[dict[int, "subprocess.Popen[str]"]]:
    """Servers by port."""
    with ExitStack() as stack:
        started = {}
        for _ in range(NUM_REPLICAS):
            process = subprocess.Popen([sys.executable, "-c", MORTAL], stdout=subprocess.PIPE, text=True)
            stack.enter_context(process)
            stack.callback(process.kill)
            assert process.stdout is not None
            started[int(process.stdout.readline())] = process
        yield started


def test_a_call_that_kills_is_repeated_once(replicas: dict[int, "subprocess.Popen[str]"]) -> None:
    target = "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in replicas)

    def num_dead() -> int:
        return sum(process.poll() is not None for process in replicas.values())

    with regard.Client(target, timeout=PATIENCE_S) as client:
        with pytest.raises(regard.Unavailable):
            client.translate("a", to="de")
        wait_until(num_dead)
        assert num_dead() <= 2
