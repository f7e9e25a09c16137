"""OpenAI's Chat Completions, and every server that speaks it."""

from __future__ import annotations

from typing import ClassVar

from .spec import HttpProvider

__all__ = ["OpenAI"]


class OpenAI(HttpProvider):
    """OpenAI's Chat Completions (https://platform.openai.com/docs/api-reference/chat), or any server that speaks it.

    `OpenAI()` takes its key from `OPENAI_API_KEY` and its endpoint from `OPENAI_BASE_URL`, if that is set.
    `OpenAI(base_url="http://localhost:8000/v1")` is a server of one's own, with or without a key.

    Args:
        organization: OpenAI's organization id.
        project: OpenAI's project id.
        base_url: See `HttpProvider`, as for all other options.
    """

    kind: ClassVar[str] = "openai"
    namespace: ClassVar[str] = "openai"

    organization: str | None = None
    project: str | None = None

    def own_headers(self) -> dict[str, str]:
        """The organization and the project beside the user's headers."""
        said = {"openai-organization": self.organization, "openai-project": self.project}
        return {**{name: value for name, value in said.items() if value is not None}, **super().own_headers()}
