"""Whatever a request holds, every call of DeepL's door reads it or refuses it by name."""

import json
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from hypothesis import given, settings
from hypothesis import strategies as st

from regard_service.errors import InvalidInput
from regard_service.http.doors.deepl.door import DEEPL
from regard_service.http.doors.fields import FORM
from regard_service.http.doors.given import Given

PARAMETERS = """
text target_lang source_lang tag_handling ignore_tags splitting_tags non_splitting_tags outline_detection model_type
split_sentences glossary_id glossary_ids formality name entries entries_format dictionaries document_key type
dictionaries[0].entries dictionaries[0].source_lang dictionaries[999].entries dictionaries[1].
""".split()
TEXTS = st.sampled_from(["xml", "html", "nonewlines", "csv", "<a>b</a>", "<", 'a,"b', "a\tb", "EN", "x,,y", "\x00"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(PARAMETERS), inner, max_size=3),
    max_leaves=8,
)
PATH = {"glossary_id": "a", "document_id": "b"}


def read_by_every_call(request: Given) -> None:
    for call in DEEPL.calls:
        try:
            call.read(request)
        except InvalidInput as error:
            check_faults(error)


def check_faults(error: InvalidInput) -> None:
    """What is said to be missing is not said to be wrong as well."""
    faults = [each for each in error.violations if "is not a parameter" not in each.description]
    fields = [each.field for each in faults]
    for violation in faults:
        if violation.description.startswith("is missing"):
            same = [field for field in fields if field.partition("[")[0] == violation.field]
            assert same == ([] if "[" in violation.field else [violation.field]), error


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(PARAMETERS), VALUES, max_size=6))
def test_json(values: dict[str, Any]) -> None:
    read_by_every_call(Given({"content-type": "application/json"}, (), PATH, json.dumps(values).encode()))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PARAMETERS), st.text(max_size=8) | TEXTS), max_size=8))
def test_forms_and_queries(pairs: list[tuple[str, str]]) -> None:
    with suppress(UnicodeEncodeError):  # half of a surrogate pair, which no form can hold
        read_by_every_call(Given({"content-type": FORM}, (), PATH, urlencode(pairs).encode()))
    read_by_every_call(Given({}, tuple(pairs), PATH))
