"""What a provider's own SDK is asked for, and what it says, in words that can be compared with ours.

A dialect's tests are one file: an `Sdk` for the official package, a class that derives from `Agreement`, and the
dialect's own scenarios beside the shared ones. Packages are imported by a fixture, never by a module: some take
seconds, and without one of them its tests are skipped.
"""

from __future__ import annotations

import importlib
import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar, Literal

import pytest

from lamellar import ChatOptions, ChatRequest, Tool
from lamellar.providers.spec import HttpProvider

__all__ = ["BY_STATUS", "OPTIONS", "PROMPT", "REQUEST", "TOOL", "Counts", "Failure", "Said", "Sdk", "imported"]

PROMPT = "What is the weather in Orléans?"
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL = Tool(name="weather", description="The weather in a city.", schema=SCHEMA)
REQUEST = ChatRequest.from_user(PROMPT).with_tools(TOOL)
OPTIONS = ChatOptions(max_tokens=1000)
BY_STATUS: dict[int, frozenset[str]] = {
    400: frozenset({"invalid_request", "context_overflow", "content_filtered"}),
    401: frozenset({"unauthorized"}),
    403: frozenset({"permission_denied"}),
    404: frozenset({"model_not_found", "invalid_request"}),
    409: frozenset({"server_error"}),
    429: frozenset({"rate_limited", "quota_exhausted"}),
    500: frozenset({"server_error"}),
    502: frozenset({"server_error"}),
    503: frozenset({"overloaded"}),
    529: frozenset({"overloaded"}),
}
"""What a status may be of ours, for an SDK whose errors tell no more than that."""


@dataclass(frozen=True)
class Counts:
    """Tokens, as both sides count them: the prompt with what was cached, the completion with what was thought."""

    prompt: int | None = None
    completion: int | None = None
    total: int | None = None
    cached: int | None = None
    written: int | None = None
    reasoning: int | None = None


@dataclass(frozen=True)
class Said:
    """One answer.

    Args:
        text: All its text.
        reasoning: All its reasoning; empty for none.
        calls: Id, name and parsed arguments of each tool call; the id is None where the SDK tells none.
        signatures: Signatures of the reasoning and of calls, in order.
        stop: Why the model stopped, in the provider's word.
        usage: The tokens, or None where nothing is told.
        model: The model that answered.
        answer_id: The answer's id.
    """

    text: str
    reasoning: str = ""
    calls: tuple[tuple[str | None, str, Any], ...] = ()
    signatures: tuple[str, ...] = ()
    stop: str | None = None
    usage: Counts | None = None
    model: str | None = None
    answer_id: str | None = None


@dataclass(frozen=True)
class Failure:
    """One error: its HTTP status, where the SDK knows it, and the kinds of ours that its class may stand for."""

    status: int | None
    kinds: frozenset[str]


class Sdk(ABC):
    """A provider's own client, told to talk to the simulator. It is synchronous, so no event loop binds it."""

    package: ClassVar[str]
    """What is imported; the tests are skipped where that fails."""

    dialect: ClassVar[str]
    """The simulator's wire format."""

    model: ClassVar[str]
    """The model that is asked."""

    usage_in: ClassVar[Literal["asked", "always", "finish"]] = "asked"
    """Where a stream of this provider tells its usage; see the simulator's `Answer`."""

    cannot: ClassVar[frozenset[str]] = frozenset()
    """Shared scenarios that this provider has no place for, or another form, which its own scenarios play."""

    names_answers: ClassVar[bool] = True
    """Whether answers have ids; where they have none, ours has the request's, which differs from one to the next."""

    silent_in_band: ClassVar[bool] = False
    """Whether the SDK overlooks an error within a stream, so that only ours is looked at."""

    @abstractmethod
    def start(self, package: ModuleType, url: str, base_url: str) -> None:
        """Make the client.

        Args:
            package: The imported package.
            url: Scheme, host and port.
            base_url: The same with the format's path.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the client."""

    @abstractmethod
    def provider(self, base_url: str) -> HttpProvider:
        """Our own provider for the same server."""

    @abstractmethod
    def whole(self) -> Said:
        """Ask for a whole answer; raises what the SDK raises."""

    @abstractmethod
    def streamed(self) -> Said:
        """Ask for a stream, and put it together as the SDK does; raises what the SDK raises."""

    @abstractmethod
    def failure(self, error: Exception) -> Failure:
        """What an error says; raises the error itself when it is none of the SDK's."""


def imported(package: str) -> ModuleType:
    """The package, or a skip where it is not installed. Its own warnings at import are its own affair."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(package)
        except ImportError as error:
            pytest.skip(f"the SDK is not importable ({error}); the extra `sdks` brings it")
