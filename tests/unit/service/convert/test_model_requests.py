"""Requests that list and load models."""

import base64

import pytest

from regard.v1 import regard_pb2 as pb
from regard_service.convert.model_requests import read_list_models, read_load_model, write_page_token
from regard_service.errors import InvalidInput

NESTED = base64.urlsafe_b64encode(b"[" * 14_000).decode()


@pytest.mark.parametrize("name", ["", "../etc", "a/b", "-a", "a" * 65, "ä", "a\n"])
def test_a_model_to_load_has_a_plain_name(name: str) -> None:
    with pytest.raises(InvalidInput, match="name"):
        read_load_model(pb.LoadModelRequest(name=name))
    assert read_load_model(pb.LoadModelRequest(name="My-model.v2_x", version="3")) == ("My-model.v2_x", "3")


@pytest.mark.parametrize("token", ["x", "!!!", "é", "eyJhIjogMX0=", NESTED, write_page_token("captioning", "a", "1")])
def test_a_page_token_of_another_list_is_refused(token: str) -> None:
    with pytest.raises(InvalidInput, match="page_token"):
        read_list_models(pb.ListModelsRequest(page_token=token))


def test_page_sizes() -> None:
    assert read_list_models(pb.ListModelsRequest()).size == 100
    assert read_list_models(pb.ListModelsRequest(page_size=5000)).size == 1000
    with pytest.raises(InvalidInput, match="page_size"):
        read_list_models(pb.ListModelsRequest(page_size=-1))
