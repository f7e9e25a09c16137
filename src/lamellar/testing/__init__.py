"""For tests of one's own stacks: an executor that plays a script, clocks that obey, and a provider that misbehaves.

`ScriptedExecutor` answers calls by hand, `ManualClock` and `run_virtual` hold time, and `ProviderSimulator` is a real
HTTP server on loopback that plays a script of faults and keeps a log of what it saw; the replies that it plays are in
`lamellar.testing.simulator`.
"""

from __future__ import annotations

from .clocks import FastClock, ManualClock, VirtualTimeLoop, run_virtual
from .scripted import Hang, Scripted, ScriptedCall, ScriptedExecutor, answer
from .simulator import Gate, ProviderSimulator, RequestLog

__all__ = [
    "FastClock",
    "Gate",
    "Hang",
    "ManualClock",
    "ProviderSimulator",
    "RequestLog",
    "Scripted",
    "ScriptedCall",
    "ScriptedExecutor",
    "VirtualTimeLoop",
    "answer",
    "run_virtual",
]
