"""The order of models, and finding one."""

from regard_service.domain.models import ModelInfo, find, in_order
from tests.integration.fake_backend import MANIFEST


def model(name: str, version: str, state: str = "ready") -> ModelInfo:
    manifest = MANIFEST.model_copy(update={"name": name, "version": version})
    return ModelInfo(name, state, manifest)  # type: ignore[arg-type]


def test_versions_are_ordered_as_people_do() -> None:
    models = [model("a", version) for version in ("9", "10", "1.2", "1.10", "2-rc1", "2")]
    assert [info.manifest.version for info in in_order(models) if info.manifest] == [
        *("10", "9", "2", "2-rc1", "1.10", "1.2")
    ]


def test_the_version_that_serves_precedes_a_newer_one() -> None:
    models = [model("a", "2", "loading"), model("a", "1")]
    assert find(models, "a", None) is models[1]
    assert find(models, "a", "2") is models[0]
