"""The reference has every setting, every public name of the client, and every module of the attention library."""

import re
from pkgutil import resolve_name

import pytest

import regard
from docs.tools.made_pages import made_pages
from docs.tools.repository import ROOT
from docs.tools.settings_reference import Setting, settings
from regard_service.app.settings import Settings

REFERENCE = ROOT / "docs" / "reference"
SOURCE = """
class Settings(BaseModel):
    model_config = ConfigDict()
    port: int | None = Field(default=80, ge=0, le=65535, description="where; 0 is any")
    provider: Literal["auto", "cpu"] = Field(default="auto", description="of graphs")
    folders: tuple[Path, ...] = Field(default_factory=list, description="of bundles")
"""


def named(page: str) -> list[str]:
    """What a page takes from docstrings."""
    return re.findall(r"^::: ([\w.]+)$", (REFERENCE / page).read_text(encoding="utf-8"), re.MULTILINE)


def test_every_setting_is_there() -> None:
    page = made_pages()["docs/reference/settings.md"]
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == list(Settings.model_fields)
    assert [name for name, field in Settings.model_fields.items() if str(field.description) not in page] == []


def test_types_defaults_and_bounds_of_settings() -> None:
    assert list(settings(SOURCE)) == [
        Setting("port", "`int | None`", "`80`", "where; 0 is any (at least 0, at most 65535)"),
        Setting("provider", "`auto`, `cpu`", "`'auto'`", "of graphs"),
        Setting("folders", "`tuple[Path, ...]`", "", "of bundles"),
    ]
    with pytest.raises(ValueError, match="odd has no Field"):
        list(settings("class Settings:\n    odd: int = 3\n"))


def test_every_public_name_of_the_client_is_there() -> None:
    assert {name for name in named("client.md") if name.startswith("regard.") and name.count(".") == 1} - {
        "regard.plots",
    } == {f"regard.{name}" for name in regard.__all__}


def test_every_mechanism_is_there() -> None:
    modules = sorted((ROOT / "models" / "regard_models" / "attention").glob("*.py"))
    assert named("attention.md") == [f"regard_models.attention.{m.stem}" for m in modules if m.stem != "__init__"]


@pytest.mark.parametrize("name", named("client.md"))
def test_names_of_the_client_exist(name: str) -> None:
    assert resolve_name(name) is not None
