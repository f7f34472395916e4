"""What is said when a part of Regard is not installed."""

import pytest

from regard.cli.delegation import load, needing
from regard.errors import MissingExtra


def test_a_missing_module_names_the_extra() -> None:
    message = r"exporting a model needs the extra 'export' \(there is no module torch\)"
    with pytest.raises(MissingExtra, match=message), needing("exporting a model", "export"):
        raise ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn")


def test_a_module_of_this_project_that_is_missing_is_a_fault() -> None:
    with pytest.raises(ModuleNotFoundError):
        load("service.no_such_module", "anything", "serving", "serve")


def test_what_is_there_is_loaded() -> None:
    assert load("json", "dumps", "printing", "none")([1]) == "[1]"
