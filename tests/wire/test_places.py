"""Azure and Vertex AI are reached where the recordings were made, by their declarations alone."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.wire.recordings import folder, load

from lamellar import ChatRequest
from lamellar.providers import AzureOpenAI, Vertex
from lamellar.providers.spec import HttpProvider

HELLO = ChatRequest.from_user("hi")
_CLASSIC = re.compile(r"/openai/deployments/(?P<deployment>[^/]+)/chat/completions\Z")
_VERTEX = re.compile(
    r"/(?P<version>v\w+)/projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)"
    r"/publishers/google/models/(?P<model>[^/:]+):(?P<method>\w+)\Z"
)


def recorded(provider: str) -> list[str]:
    found = folder()
    return [] if found is None else sorted(path.stem for path in found.glob(f"{provider}-*.json"))


def url_of(spec: HttpProvider, model: str, *, stream: bool = False) -> str:
    return spec.wire_format().build_request(spec.endpoint(), model, HELLO, None, stream=stream).url


@pytest.mark.skipif(folder() is None, reason="no recordings: set LAMELLAR_WIRE_DIR to their folder")
@pytest.mark.parametrize("provider", ["azure", "vertex"])
def test_the_recordings_are_there(provider: str):
    assert recorded(provider)


@pytest.mark.parametrize("name", recorded("azure"))
def test_azure(name: str):
    url = load(name)["request"]["url"].replace(".com//", ".com/")  # one was made with a slash too many
    parts = urlsplit(url)
    version: Any = parse_qs(parts.query).get("api-version", [None])[0]
    said: dict[str, Any] = {"api_key": "k-123456", "api_version": version}
    said["api"] = "responses" if parts.path.endswith("/responses") else "chat"
    host = f"{parts.scheme}://{parts.netloc}"
    classic = _CLASSIC.search(parts.path)
    if classic is None:
        assert url_of(AzureOpenAI(base_url=host, **said), "m") == url
        return
    deployment = classic["deployment"]
    assert url_of(AzureOpenAI(base_url=host, **said), deployment) == url
    assert url_of(AzureOpenAI(base_url=host, deployment=deployment, **said), "m") == url
    assert url_of(AzureOpenAI(base_url=f"{host}/openai/deployments/{deployment}", **said), "m") == url


@pytest.mark.parametrize("name", recorded("vertex"))
def test_vertex(name: str):
    parts = urlsplit(load(name)["request"]["url"])
    found = _VERTEX.match(parts.path)
    assert found is not None
    spec = Vertex(
        api_key="t-123456", project=found["project"], location=found["location"], api_version=found["version"]
    )
    stream = found["method"] == "streamGenerateContent"
    ours = urlsplit(url_of(spec, found["model"], stream=stream))
    assert (ours.scheme, ours.netloc, ours.path) == (parts.scheme, parts.netloc, parts.path)
    assert parts.query in (ours.query, "%24alt=json%3Benum-encoding%3Dint")
