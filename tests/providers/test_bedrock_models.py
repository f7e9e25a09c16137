"""The list of models at Bedrock."""

from __future__ import annotations

from typing import Any

import pytest

from lamellar import Stack
from lamellar.errors import ExecutorError
from lamellar.providers import Bedrock
from lamellar.providers.bedrock_converse import BEDROCK_CONVERSE
from lamellar.providers.listing import ListedModel, UnreadableListError
from lamellar.providers.wire import Endpoint
from lamellar.testing import ProviderSimulator


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        (
            "https://bedrock-runtime.eu-west-1.amazonaws.com",
            "https://bedrock.eu-west-1.amazonaws.com/foundation-models",
        ),
        (
            "https://bedrock-runtime-fips.us-east-1.amazonaws.com/",
            "https://bedrock-fips.us-east-1.amazonaws.com/foundation-models",
        ),
        ("https://gateway.example/bedrock", "https://gateway.example/bedrock/foundation-models"),
    ],
)
def test_another_service_has_the_list(base_url: str, url: str):
    listing = BEDROCK_CONVERSE.models
    assert listing is not None
    request = listing.ask(Endpoint("bedrock", base_url, "k"), None)
    assert (request.method, request.url) == ("GET", url)
    assert request.headers["authorization"] == "Bearer k"


@pytest.mark.parametrize(
    ("body", "models"),
    [
        ({"modelSummaries": []}, ()),
        (
            {"modelSummaries": [1, {}, {"modelId": ""}, {"modelId": "m"}]},
            (ListedModel("m", "bedrock"),),
        ),
        (
            {"modelSummaries": [{"modelId": "amazon.nova-lite-v1:0", "modelName": "Nova Lite"}]},
            (ListedModel("amazon.nova-lite-v1:0", "bedrock", display_name="Nova Lite"),),
        ),
    ],
)
def test_what_is_listed(body: dict[str, Any], models: tuple[ListedModel, ...]):
    listing = BEDROCK_CONVERSE.models
    assert listing is not None
    assert listing.read("bedrock", body).models == models
    assert listing.read("bedrock", body).next is None


@pytest.mark.parametrize("body", [{}, {"modelSummaries": [1, {}, {"modelId": ""}]}])
def test_what_is_no_list(body: dict[str, Any]):
    listing = BEDROCK_CONVERSE.models
    assert listing is not None
    with pytest.raises(UnreadableListError, match="modelSummaries"):
        listing.read("bedrock", body)


async def test_the_list_through_a_stack():
    with ProviderSimulator(dialect="converse", models=["a.one", "b.two"], require_key="k") as simulator:
        async with Stack(Bedrock(base_url=simulator.base_url, api_key="k")).build() as executor:
            listed = await executor.list_models()
        assert [model.id for model in listed] == ["a.one", "b.two"]
        async with Stack(Bedrock(base_url=simulator.base_url, api_key="wrong")).build() as executor:
            with pytest.raises(ExecutorError) as caught:
                await executor.list_models()
        assert caught.value.kind == "unauthorized"
