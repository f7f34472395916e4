"""A client with a server of its own."""

import json
from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

from regard.calls.client import Client
from regard.embedded.extras import load
from regard.embedded.server import EmbeddedServer, ModelChoice
from regard.errors import RegardError

_MANIFEST = "manifest.json"


class LocalClient(Client):
    """A client of a server inside this process; `close`, or the end of `with`, stops both."""

    def __init__(self, models: ModelChoice, *, timeout: float = 60.0) -> None:
        """Starts a server, which takes seconds, and a client of it.

        Raises:
            MissingExtra: the server is not installed.
            RegardError: a model cannot be loaded.
        """
        self._server = EmbeddedServer(models, is_verbose=False)
        super().__init__(self._server.__enter__(), timeout=timeout)
        refused = [f"{model.name}: {reason}" for model in self.models() for reason in model.state_reasons]
        if refused:
            self.close()
            raise RegardError("; ".join(refused))

    def close(self) -> None:
        """Closes the connection and stops the server."""
        super().close()
        self._server.__exit__(None, None, None)


def local(*bundles: str | PathLike[str], timeout: float = 60.0, num_workers: int | None = None) -> LocalClient:
    """Starts a server inside this process and returns its client. Needs the extra 'serve'; no port is to be chosen.

    Example:
        client = regard.local()
        client.translate("Where is the library?", to="de", attention=True)

    Args:
        bundles: folders of bundles, as `regard export` writes them, or folders that contain bundles; names of shipped
            models. Without any, all shipped models.
        timeout: limit in seconds of calls without a `timeout` of their own.
        num_workers: threads that run the graphs; None is one a core of the machine.

    Raises:
        MissingExtra: the server is not installed.
        RegardError: a model cannot be loaded.
        FileNotFoundError: a path has no bundle.
    """
    for each in bundles:
        if not isinstance(each, str | PathLike):
            raise TypeError(f"bundles are folders or names of models; one is of type {type(each).__name__}")
    client = LocalClient(replace(_choice(bundles), num_workers=num_workers), timeout=timeout)
    try:
        _check_versions(client, [each for each in bundles if isinstance(each, str) and not Path(each).is_dir()])
    except RegardError:
        client.close()
        raise
    return client


def _check_versions(client: LocalClient, names: Sequence[str]) -> None:
    """Raises RegardError if a name is "everyday@2" and another version of the shipped model serves."""
    for name, _, version in (each.partition("@") for each in names):
        there = client.model(name).version
        if version and version != there:
            raise RegardError(f"there is no version {version!r} of {name!r}; {name}@{there} is shipped")


def _choice(bundles: tuple[str | PathLike[str], ...]) -> ModelChoice:
    names: list[str] = []
    directories: list[Path] = []
    for each in bundles:
        folder = Path(each)
        folders = [folder] if (folder / _MANIFEST).is_file() else [m.parent for m in folder.glob(f"*/{_MANIFEST}")]
        names += sorted(map(_name_of, folders))
        if folders:
            directories.append(folders[0].absolute().parent)
        elif folder.is_dir():
            raise FileNotFoundError(f"{folder} is no bundle and contains none: there is no {_MANIFEST}")
        elif isinstance(each, str) and len(folder.parts) == 1:
            names.append(each.partition("@")[0])
            directories.append(load("regard_service.bundle.zoo", "zoo_folder", "regard.local()", "serve")())
        else:
            raise FileNotFoundError(f"there is no folder {folder}")
    return ModelChoice(tuple(names), tuple(dict.fromkeys(directories)))


def _name_of(folder: Path) -> str:
    """The name that a bundle's manifest states; its folder's name where it states none: the server says why."""
    try:
        return str(json.loads((folder / _MANIFEST).read_text("utf-8"))["name"])
    except (ValueError, KeyError, TypeError):
        return folder.name
