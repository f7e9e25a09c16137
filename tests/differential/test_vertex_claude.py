"""Claude on Vertex AI: `AnthropicVertex` of the package `anthropic`, and `Vertex`."""

from __future__ import annotations

from types import ModuleType

from tests.differential.agreement import Agreement
from tests.differential.test_anthropic import AnthropicSdk

from lamellar.providers import Vertex

PROJECT, REGION, TOKEN = "my-project", "us-east5", "ya29.token"
VERSION = {"anthropic_version": "vertex-2023-10-16"}
"""The version of the API that the simulator plays and ours asks for; the SDK by itself asks for a later one."""


class ClaudeOnVertexSdk(AnthropicSdk):
    dialect = "anthropic_vertex"
    model = "claude-sonnet-4-5@20250929"

    def start(self, package: ModuleType, url: str, base_url: str) -> None:
        super().start(package, url, base_url)
        self.client.close()
        self.client = package.AnthropicVertex(
            base_url=f"{url}/v1", region=REGION, project_id=PROJECT, access_token=TOKEN, max_retries=0
        )
        self.asked |= {"extra_body": VERSION}

    def provider(self, base_url: str) -> Vertex:
        root = base_url.removesuffix("/publishers/anthropic")
        return Vertex(base_url=root, project=PROJECT, location=REGION, api_key=TOKEN)


class TestClaudeOnVertex(Agreement):
    sdk_class = ClaudeOnVertexSdk
