"""A member's part of the machine and of the limits, and the ports that are held for all."""

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.app.processes.ports import HeldPorts
from regard_service.app.processes.shares import DIVIDED, member_settings
from regard_service.app.settings import Settings
from regard_service.app.start_error import StartError


@pytest.fixture(scope="module")
def ports() -> Iterator[HeldPorts]:
    with closing(HeldPorts(Settings(grpc_port=0, http_port=0, health_port=0))) as held:
        yield held


@given(st.integers(1, 256), st.integers(1, 64), st.integers(1, 10_000))
def test_the_parts_are_the_whole_and_at_most_one_more_each(processes: int, workers: int, queue: int) -> None:
    with closing(HeldPorts(Settings(grpc_port=0, http_port=0))) as held:
        settings = Settings(processes=processes, num_workers=workers, max_queue=queue)
        member = member_settings(settings, held)
    for name in DIVIDED:
        whole, part = getattr(settings, name), getattr(member, name)
        assert whole <= part * processes < whole + processes
    assert 1 <= member.num_workers <= max(1, workers // processes)
    assert member.max_slots == settings.max_slots


def test_members_listen_on_the_ports_that_are_held_and_others_do_not(ports: HeldPorts) -> None:
    settings = member_settings(Settings(processes=2), ports)
    assert len({settings.grpc_port, settings.http_port, settings.health_port}) == 3
    address = ("127.0.0.1", settings.grpc_port)
    with (
        socket.create_server(address, reuse_port=True),
        socket.create_server(address, reuse_port=True),
        pytest.raises(StartError, match="grpc_port: cannot listen"),
    ):
        HeldPorts(Settings(grpc_port=settings.grpc_port, http_port=0))
    with pytest.raises(OSError, match="in use"):
        socket.create_server(address)


def test_processes_do_not_share_a_gpu() -> None:
    with pytest.raises(ValueError, match="processes"):
        Settings(processes=2, provider="cuda")
