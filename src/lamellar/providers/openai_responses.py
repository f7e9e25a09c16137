"""OpenAI's Responses, and every server that speaks it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from .openai import OpenAI

if TYPE_CHECKING:
    from .wire import Endpoint

__all__ = ["OpenAIResponses"]


class OpenAIResponses(OpenAI):
    """OpenAI's Responses API (https://platform.openai.com/docs/api-reference/responses), or any server that speaks it.

    `OpenAIResponses()` takes its key from `OPENAI_API_KEY` and its endpoint from `OPENAI_RESP_BASE_URL`, else from
    `OPENAI_BASE_URL`, if one of them is set. What has no option of ours, such as `truncation`, goes into a call's (or a
    Target's) `extra_body`.

    Args:
        reasoning_summary: Which summary of its reasoning a model is asked for wherever reasoning is asked for:
            ``auto``, ``concise`` or ``detailed``. Some models give one to verified organizations only. Default: none
            is asked for.
        organization: See `OpenAI`, as for all other options.
    """

    kind: ClassVar[str] = "openai_responses"
    namespace: ClassVar[str] = "openai_resp"

    reasoning_summary: Literal["auto", "concise", "detailed"] | None = None

    def endpoint(self, keys: tuple[str, ...] | None = None) -> Endpoint:
        """Where requests go, and which summary is asked for there."""
        endpoint = super().endpoint(keys)
        if self.reasoning_summary is None:
            return endpoint
        return replace(endpoint, quirks=replace(endpoint.quirks, reasoning_summary=self.reasoning_summary))

    def identity(self) -> object:
        """What every provider's holds, and the summary, which changes answers."""
        said = super().identity()
        return said if self.reasoning_summary is None else {"openai_resp": said, "summary": self.reasoning_summary}
