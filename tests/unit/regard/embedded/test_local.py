"""A client with a server of its own."""

import shutil
from pathlib import Path

import pytest

import regard
from regard_service.bundle.zoo import zoo_folder

TEXT = "I like my new red bicycle."


def test_a_shipped_model_answers_without_a_port_to_choose() -> None:
    with regard.local("everyday") as client:
        assert [model.name for model in client.models()] == ["everyday"]
        assert client.translate(TEXT, to="de").text
    with pytest.raises(RuntimeError, match=r"the client of 127.0.0.1:[0-9]+ is closed; make another one"):
        client.translate(TEXT, to="de")


def test_a_bundle_of_any_folder_is_served(tmp_path: Path) -> None:
    mine = shutil.copytree(zoo_folder() / "multi30k", tmp_path / "mine")
    shutil.copytree(zoo_folder() / "everyday", tmp_path / "yours")
    with regard.local(mine) as client:
        assert [model.name for model in client.models()] == ["multi30k"]
    with regard.local(str(tmp_path)) as client:
        assert [model.name for model in client.models()] == ["everyday", "multi30k"]


def test_a_name_that_two_bundles_have_is_refused(tmp_path: Path) -> None:
    mine = shutil.copytree(zoo_folder() / "multi30k", tmp_path / "mine")
    with pytest.raises(regard.RegardError, match="another bundle is named 'multi30k' too"):
        regard.local(mine, "multi30k")


def test_a_folder_without_a_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is no bundle and contains none"):
        regard.local(tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        regard.local(tmp_path / "none")


def test_an_unknown_name_is_refused_with_the_names_that_there_are() -> None:
    with pytest.raises(regard.RegardError, match=r"in this process: no model everyone in .*; there are: .*everyday, "):
        regard.local("everyone")
    with pytest.raises(TypeError, match="bundles are folders or names of models; one is of type list"):
        regard.local(["everyday"])  # type: ignore[arg-type]


def test_another_version_than_the_shipped_one_is_not_served_silently() -> None:
    with pytest.raises(regard.RegardError, match=r"there is no version '9' of 'multi30k'; multi30k@1 is shipped"):
        regard.local("multi30k@9")
    with regard.local("multi30k@1") as client:
        assert client.model("multi30k").version == "1"


def test_a_damaged_bundle_says_why(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "manifest.json").write_text("{")
    with pytest.raises(regard.RegardError, match="mine"):
        regard.local(tmp_path / "mine")
