"""The pages of the list of models."""

from hypothesis import given
from hypothesis import strategies as st

from regard.v1 import regard_pb2 as pb
from regard_service.convert.model_requests import read_list_models
from regard_service.domain.models import ModelInfo, in_order
from regard_service.rpc.servicers.model import page_of
from tests.integration.fake_backend import MANIFEST


def model(name: str, version: str, state: str = "ready") -> ModelInfo:
    manifest = MANIFEST.model_copy(update={"name": name, "version": version})
    return ModelInfo(name, state, manifest)  # type: ignore[arg-type]


names_and_versions = st.sets(st.tuples(st.sampled_from("abc"), st.from_regex(r"\d{1,3}(\.\d{1,2})?", fullmatch=True)))


@given(names_and_versions, st.integers(1, 4))
def test_pages_together_are_the_whole_list_in_order(names: set[tuple[str, str]], size: int) -> None:
    models = [model(*name) for name in names]
    seen: list[ModelInfo] = []
    token = ""
    while True:
        page, token = page_of(models, read_list_models(pb.ListModelsRequest(page_size=size, page_token=token)))
        assert len(page) <= size
        seen += page
        if not token:
            break
    assert seen == in_order(models)
