"""Chat Completions on Azure: `AzureOpenAI` of the package `openai`, and ours."""

from __future__ import annotations

from types import ModuleType

from tests.differential.agreement import Agreement
from tests.differential.test_openai_chat import OpenAISdk

from lamellar.providers import AzureOpenAI

VERSION = "2024-10-21"


class AzureSdk(OpenAISdk):
    dialect = "azure"

    def start(self, package: ModuleType, url: str, base_url: str) -> None:
        super().start(package, url, base_url)
        self.client.close()
        self.client = package.AzureOpenAI(azure_endpoint=url, api_key="k", api_version=VERSION, max_retries=0)

    def provider(self, base_url: str) -> AzureOpenAI:
        return AzureOpenAI(base_url=base_url, api_key="k", api_version=VERSION)


class TestAzure(Agreement):
    sdk_class = AzureSdk
