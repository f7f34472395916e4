"""Errors about distributions of this project that are not installed."""

import pytest

from regard.embedded.extras import load, requires_extra
from regard.errors import MissingExtra


def test_a_missing_module_names_the_extra() -> None:
    message = r"exporting a model needs the extra 'export' \(there is no module torch\)"
    with pytest.raises(MissingExtra, match=message), requires_extra("exporting a model", "export"):
        raise ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn")


def test_a_missing_module_inside_an_installed_package_is_a_fault() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        load("regard_service.no_such_module", "anything", "serving", "serve")


def test_a_missing_server_names_the_command_that_installs_it() -> None:
    with (
        pytest.raises(MissingExtra, match=r"no module regard_service\).* '\.\[serve\]' \./service \./models/zoo$"),
        requires_extra("serving", "serve"),
    ):
        raise ModuleNotFoundError(name="regard_service")


def test_without_the_zoo_the_error_names_the_alternative() -> None:
    message = (
        r"^serving the shipped models needs the extra 'serve' \(there is no module regard_zoo\).*--model-directories"
    )
    with pytest.raises(MissingExtra, match=message), requires_extra("serving", "serve"):
        raise ModuleNotFoundError(name="regard_zoo")


def test_an_installed_object_is_loaded() -> None:
    assert load("json", "dumps", "printing", "none")([1]) == "[1]"
