"""Session affinity by rendezvous hashing: the calls of one session go to one target, as long as it is there.

Each target has a score for each session, and the highest one wins. A target that leaves moves only its own sessions,
and they come back with it (Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998). Weights
make a target win in proportion. Nothing is remembered, so nothing has to be bounded, and every process agrees.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from math import log
from typing import TYPE_CHECKING

from lamellar.errors import ConfigError

if TYPE_CHECKING:
    from lamellar.call import CallContext

    from .pool import PooledTarget

__all__ = ["check_affinity", "highest", "score", "session"]

_TAG = "tag:"
_BITS = 52
"""So many that the number below is exact, and less than 1."""


def check_affinity(affinity: str | None) -> None:
    """Refuse what is neither ``conversation`` nor ``tag:NAME``.

    Raises:
        ConfigError: It is.
    """
    if affinity in (None, "conversation") or (affinity.startswith(_TAG) and affinity != _TAG):
        return
    raise ConfigError(f"affinity: expected 'conversation' or 'tag:NAME', got {affinity!r}")


def session(affinity: str, context: CallContext | None) -> str | None:
    """What the call belongs to, or None."""
    if context is None:
        return None
    if affinity == "conversation":
        return context.conversation_id
    return context.tags.get(affinity.removeprefix(_TAG))


def highest(targets: Sequence[PooledTarget], key: str) -> PooledTarget:
    """The target of a session."""
    return max(targets, key=lambda target: score(target.name, key, target.load.weight))


def score(name: str, key: str, weight: float) -> float:
    """How much a target is the one for a session."""
    digest = blake2b(f"{key}\0{name}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    share = ((int.from_bytes(digest, "big") >> (64 - _BITS)) + 0.5) / (1 << _BITS)
    return -weight / log(share)
