"""Lamellar: small executors for LLM calls, laced into one resilient executor.

Every part has the same three members (`LlmExecutor`): leaves talk to a provider, wrappers hold one inner executor,
composites hold several, and a `Stack` declares them and builds one executor out of them.

Names are loaded when they are first used, so importing this package costs little more than importing pydantic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._version import __version__

if TYPE_CHECKING:
    from .build import BuildContext
    from .call import AttemptRecord, CallContext, Outcome
    from .chat.content import (
        Binary,
        BinarySource,
        ContentPart,
        Custom,
        ReasoningContent,
        Text,
        ThoughtSignature,
        ToolCall,
        ToolResponse,
    )
    from .chat.events import (
        Chunk,
        End,
        Progress,
        ReasoningChunk,
        Restart,
        Start,
        StreamEvent,
        ThoughtSignatureChunk,
        ToolCallChunk,
    )
    from .chat.options import ChatOptions, JsonSchemaFormat
    from .chat.request import ChatMessage, ChatRequest
    from .chat.response import ChatResponse, StopReason
    from .chat.tools import Tool, ToolChoice
    from .chat.usage import CacheCreation, CompletionDetails, PromptDetails, Usage
    from .clock import Clock
    from .coderef import CodeRef
    from .durations import Duration
    from .errors import (
        ConfigError,
        ErrorKind,
        ExecutorError,
        LamellarError,
        RejectedError,
        StreamClosedError,
        StreamInterruptedError,
        StreamTruncatedError,
    )
    from .executor import CompositeExecutor, ExecutorWrapper, LlmExecutor, Operation, walk, when_finished
    from .rate_limits import RateLimits, RateLimitState
    from .rates import Rate
    from .reload import Reload, WatchedExecutor
    from .root import StackExecutor
    from .secrets import Secret
    from .sizes import Size
    from .source import EventSource, Finish, InnerSource
    from .spec import ExecutorSpec, LayerSpec
    from .stack import Stack
    from .stream import LlmEventStream
    from .sync import SyncExecutor
    from .target import Target

_HOMES = {
    "build": ("BuildContext",),
    "call": ("AttemptRecord", "CallContext", "Outcome"),
    "chat.content": (
        "Binary",
        "BinarySource",
        "ContentPart",
        "Custom",
        "ReasoningContent",
        "Text",
        "ThoughtSignature",
        "ToolCall",
        "ToolResponse",
    ),
    "chat.events": (
        "Chunk",
        "End",
        "Progress",
        "ReasoningChunk",
        "Restart",
        "Start",
        "StreamEvent",
        "ThoughtSignatureChunk",
        "ToolCallChunk",
    ),
    "chat.options": ("ChatOptions", "JsonSchemaFormat"),
    "chat.request": ("ChatMessage", "ChatRequest"),
    "chat.response": ("ChatResponse", "StopReason"),
    "chat.tools": ("Tool", "ToolChoice"),
    "chat.usage": ("CacheCreation", "CompletionDetails", "PromptDetails", "Usage"),
    "clock": ("Clock",),
    "coderef": ("CodeRef",),
    "durations": ("Duration",),
    "errors": (
        "ConfigError",
        "ErrorKind",
        "ExecutorError",
        "LamellarError",
        "RejectedError",
        "StreamClosedError",
        "StreamInterruptedError",
        "StreamTruncatedError",
    ),
    "executor": ("CompositeExecutor", "ExecutorWrapper", "LlmExecutor", "Operation", "walk", "when_finished"),
    "rate_limits": ("RateLimitState", "RateLimits"),
    "reload": ("Reload", "WatchedExecutor"),
    "root": ("StackExecutor",),
    "secrets": ("Secret",),
    "rates": ("Rate",),
    "sizes": ("Size",),
    "source": ("EventSource", "Finish", "InnerSource"),
    "spec": ("ExecutorSpec", "LayerSpec"),
    "stack": ("Stack",),
    "stream": ("LlmEventStream",),
    "sync": ("SyncExecutor",),
    "target": ("Target",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AttemptRecord",
    "Binary",
    "BinarySource",
    "BuildContext",
    "CacheCreation",
    "CallContext",
    "ChatMessage",
    "ChatOptions",
    "ChatRequest",
    "ChatResponse",
    "Chunk",
    "Clock",
    "CodeRef",
    "CompletionDetails",
    "CompositeExecutor",
    "ConfigError",
    "ContentPart",
    "Custom",
    "Duration",
    "End",
    "ErrorKind",
    "EventSource",
    "ExecutorError",
    "ExecutorSpec",
    "ExecutorWrapper",
    "Finish",
    "InnerSource",
    "JsonSchemaFormat",
    "LamellarError",
    "LayerSpec",
    "LlmEventStream",
    "LlmExecutor",
    "Operation",
    "Outcome",
    "Progress",
    "PromptDetails",
    "Rate",
    "RateLimitState",
    "RateLimits",
    "ReasoningChunk",
    "ReasoningContent",
    "RejectedError",
    "Reload",
    "Restart",
    "Secret",
    "Size",
    "Stack",
    "StackExecutor",
    "Start",
    "StopReason",
    "StreamClosedError",
    "StreamEvent",
    "StreamInterruptedError",
    "StreamTruncatedError",
    "SyncExecutor",
    "Target",
    "Text",
    "ThoughtSignature",
    "ThoughtSignatureChunk",
    "Tool",
    "ToolCall",
    "ToolCallChunk",
    "ToolChoice",
    "ToolResponse",
    "Usage",
    "WatchedExecutor",
    "__version__",
    "walk",
    "when_finished",
]


def __getattr__(name: str) -> object:
    """Load a name from its module when it is first asked for (PEP 562)."""
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
