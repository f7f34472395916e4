"""Reads the requests that list, load and unload models."""

import base64
import json
from dataclasses import dataclass

from regard.v1 import regard_pb2 as pb
from regard_service.bundle import Task
from regard_service.convert import enums
from regard_service.convert.checks import Checks
from regard_service.validation.texts import EMPTY, loadable_name_fault

DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 1000


@dataclass(frozen=True)
class ModelPage:
    """A page of the list of models.

    Attributes:
        task: lists the models of this task; None lists all.
        after: name and version of the last model of the page before; None for the first page.
    """

    size: int
    task: Task | None = None
    after: tuple[str, str] | None = None


def read_list_models(request: pb.ListModelsRequest) -> ModelPage:
    """Returns the page that a request asks for."""
    checks = Checks()
    checks.at_least("page_size", request.page_size, 0)
    task = checks.enum("task", enums.TASK, request.task)
    after = None
    if request.page_token:
        try:
            after = _read_page_token(request.page_token, task)
        except (ValueError, RecursionError):  # JSON that is nested too deeply
            checks.add("page_token", "is not one that this server gave for the same filter")
    checks.raise_if_any()
    return ModelPage(min(request.page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE), task, after)


def write_page_token(task: Task | None, name: str, version: str) -> str:
    """Returns the token of the page that starts after a model, under the same filter."""
    return base64.urlsafe_b64encode(json.dumps([task, name, version]).encode()).decode()


def _read_page_token(token: str, task: Task | None) -> tuple[str, str]:
    """Returns a token's name and version; raises ValueError if it belongs to another filter."""
    match json.loads(base64.b64decode(token, altchars=b"-_", validate=True)):
        case [given_task, str(name), str(version)] if given_task == task:
            return name, version
    raise ValueError("the token belongs to another filter")


def read_model_name(request: pb.GetModelRequest | pb.UnloadModelRequest) -> tuple[str, str | None]:
    """Returns name and version; None if the request sets no version."""
    checks = Checks()
    if not request.name:
        checks.add("name", EMPTY)
    checks.name("name", request.name)
    checks.name("version", request.version)
    checks.raise_if_any()
    return request.name, request.version or None


def read_load_model(request: pb.LoadModelRequest) -> tuple[str, str | None]:
    """Returns name and version of a model to load. A name that could be a path is refused."""
    checks = Checks()
    checks.add_if("name", loadable_name_fault(request.name))
    checks.name("version", request.version)
    checks.raise_if_any()
    return request.name, request.version or None
