"""A member's part of the machine and of the server's limits."""

from pathlib import Path

from regard_service.app.processes.ports import HeldPorts
from regard_service.app.settings import Settings

DIVIDED = ("max_queue", "max_queue_tokens", "max_answer_memory_bytes", "max_buffered_bytes")
"""Limits of the whole server: each member has its part, rounded up. The others are of a call or a connection."""


def member_settings(settings: Settings, ports: HeldPorts, document_directory: Path | None = None) -> Settings:
    """The settings of each member: its part of the workers and of the limits, and the ports and the folder of all."""
    parts = {name: -(-getattr(settings, name) // settings.processes) for name in DIVIDED}
    ports_of_all = {"grpc_port": ports.grpc_port, "http_port": ports.http_port, "health_port": ports.health_port}
    num_workers = max(1, settings.num_workers // settings.processes)
    shared = {**ports_of_all, "document_directory": settings.document_directory or document_directory}
    return settings.model_copy(update={**parts, **shared, "num_workers": num_workers})
