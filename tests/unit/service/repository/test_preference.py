"""The model that answers a call that names none."""

from dataclasses import dataclass

import pytest

from regard_service.bundle import Manifest
from regard_service.errors import ModelNotFound
from regard_service.repository.preference import ModelPreference
from tests.integration.fake_backend import MANIFEST


@dataclass(frozen=True)
class Model:
    """The part of a LoadedModel that the preference reads."""

    manifest: Manifest

    @property
    def name(self) -> str:
        return self.manifest.name


def model(name: str, **fields: object) -> Model:
    return Model(MANIFEST.model_copy(update={"name": name, **fields}))


def default(preference: ModelPreference, *models: Model, **call: str) -> str:
    return preference.default(models, "translation", **call).name  # type: ignore[arg-type]


def test_the_tasks_default_is_chosen_before_a_preferred_model_and_that_before_the_first_by_name() -> None:
    models = [model(name) for name in ("a", "b", "c", "d")]
    assert default(ModelPreference(), *models) == "a"
    assert default(ModelPreference(preferred=("missing", "c", "b")), *models) == "c"
    assert default(ModelPreference({"translation": "d"}, preferred=("c",)), *models) == "d"
    assert default(ModelPreference({"captioning": "d"}, preferred=("c",)), *models) == "c"


def test_a_model_that_does_not_fit_is_not_chosen() -> None:
    french, german = model("french", target_languages=("fr",)), model("german", target_languages=("de",))
    preference = ModelPreference({"translation": "french"}, preferred=("french",))
    assert default(preference, french, german, target_language="de") == "german"
    with pytest.raises(ModelNotFound, match=r"no model for translation en to it; there are: french \(en to fr\), ger"):
        default(preference, french, german, source_language="en", target_language="it")


def test_languages_match_as_codes_and_the_very_code_goes_first() -> None:
    portuguese, brazilian = model("a", target_languages=("pt",)), model("b", target_languages=("pt-BR",))
    preference = ModelPreference({"translation": "a"})
    assert default(preference, portuguese, brazilian, source_language="EN-us", target_language="pt-br") == "a"
    assert default(preference, portuguese, brazilian, target_language="pt-BR") == "b"
    assert default(preference, brazilian, target_language="pt") == "b"


@pytest.mark.parametrize(
    ("call", "advice"),
    [
        ({"target_language": "German"}, "; did you mean 'de'?"),
        ({"target_language": "french"}, "; did you mean 'fr'?"),
        ({"source_language": "English", "target_language": "de"}, "; did you mean 'en'?"),
        ({"target_language": "ja"}, "(en to fr)"),
    ],
)
def test_a_language_by_its_name_gets_its_code_as_advice(call: dict[str, str], advice: str) -> None:
    models = model("a", target_languages=("de",)), model("b", target_languages=("fr",))
    with pytest.raises(ModelNotFound) as refused:
        default(ModelPreference(), *models, **call)
    assert str(refused.value).endswith(advice)
