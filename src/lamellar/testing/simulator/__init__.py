"""A provider on loopback that plays faults: `ProviderSimulator`, the replies it plays, and the log it keeps.

::

    with ProviderSimulator([overloaded(), Cut(Answer("Paris."), after=1), Answer("Paris.")]) as simulator:
        ...  # point a client at simulator.base_url
        assert [request.outcome for request in simulator.requests] == ["completed", "cut", "completed"]

Replies are in `replies`, the errors a provider reports by name in `shorthands`, faults that change another reply in
`faults` (they end or interrupt it) and `spoils` (they change what it says), choices between replies in `choices`.
A reply of your own derives from `Reply` and yields the steps of `steps`; a wire format of your own is a `WireFormat`.
"""

from __future__ import annotations

from .choices import Schedule, When, refuses_prefill, until
from .faults import BadChunk, Cut, Eof, Reset, Stall
from .gate import Gate
from .log import RequestLog
from .replies import Answer, BadStatusLine, Empty, HtmlPage, Raw, Redirect, Reply, Silence, Status
from .script import ScriptLike
from .server import ProviderSimulator
from .shorthands import (
    bad_request,
    content_policy,
    context_overflow,
    model_not_found,
    overloaded,
    permission_denied,
    quota_exhausted,
    rate_limited,
    server_error,
    unauthorized,
)
from .spoils import Garbage, Gzip, Heartbeats, InBandError, NoDone, SlowBody
from .steps import Outcome, Scene, Step
from .wire import Problem, WireFormat
from .wire_chat import ChatWire

__all__ = [
    "Answer",
    "BadChunk",
    "BadStatusLine",
    "ChatWire",
    "Cut",
    "Empty",
    "Eof",
    "Garbage",
    "Gate",
    "Gzip",
    "Heartbeats",
    "HtmlPage",
    "InBandError",
    "NoDone",
    "Outcome",
    "Problem",
    "ProviderSimulator",
    "Raw",
    "Redirect",
    "Reply",
    "RequestLog",
    "Reset",
    "Scene",
    "Schedule",
    "ScriptLike",
    "Silence",
    "SlowBody",
    "Stall",
    "Status",
    "Step",
    "When",
    "WireFormat",
    "bad_request",
    "content_policy",
    "context_overflow",
    "model_not_found",
    "overloaded",
    "permission_denied",
    "quota_exhausted",
    "rate_limited",
    "refuses_prefill",
    "server_error",
    "unauthorized",
    "until",
]
