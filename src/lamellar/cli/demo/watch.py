"""What the providers' logs tell while a scene is played."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ...testing.simulator import RequestLog
    from .witness import Provider

__all__ = ["Audience", "Happening", "Watch"]


@dataclass(frozen=True)
class Happening:
    """Something that a provider's log tells.

    Args:
        at: Seconds since the scene began.
        provider: Whose log.
        what: ``request``, ``reply`` or ``left`` (the client gave up).
        request: The request as it stands in the log.
    """

    at: float
    provider: str
    what: str
    request: RequestLog

    @property
    def identity(self) -> tuple[str, int, str]:
        """What tells it from the others of its scene."""
        return self.provider, self.request.number, self.what


class Audience(Protocol):
    """Who watches a scene."""

    def happened(self, happening: Happening) -> None:
        """Something happened at a provider."""

    def waiting(self, happenings: Sequence[Happening], now: float) -> None:
        """Nothing new; this is where things stand, `now` seconds into the scene."""

    def crowd(self, arrived: int, asked: int) -> None:
        """So many of those that were asked at once have arrived."""

    def piece(self, text: str) -> None:
        """A piece of the answer has arrived."""


class Watch:
    """Looks into the providers' logs while a scene is played, and tells the audience what is new.

    Args:
        providers: By name.
        began: When the scene began, on the monotonic clock.
        audience: Whom to tell.
    """

    def __init__(self, providers: Mapping[str, Provider], began: float, audience: Audience) -> None:
        self._providers = providers
        self._began = began
        self._audience = audience
        self._told: set[tuple[str, int, str]] = set()

    def look(self) -> list[Happening]:
        """Tell what is new; everything so far."""
        known = self._happenings()
        if sum(happening.request.outcome is None for happening in known if happening.what == "request") > 1:
            return known  # a request was given up this moment; its log will say so first
        for happening in known:
            if happening.identity not in self._told:
                self._told.add(happening.identity)
                self._audience.happened(happening)
        return known

    def _happenings(self) -> list[Happening]:
        told = [each for name, provider in self._providers.items() for each in _told(name, provider, self._began)]
        # That the client has left a silent provider is noticed a moment after the next one was asked.
        return sorted(told, key=lambda each: each.at - (0.05 if each.what == "left" else 0.0))


def _told(name: str, provider: Provider, began: float) -> Iterator[Happening]:
    """What one provider's log tells."""
    for request in provider.simulator.requests:
        yield Happening(request.time - began, name, "request", request)
        if request.status is not None:
            replied = provider.answer_began(request) or request.ended_at or request.time
            yield Happening(replied - began, name, "reply", request)
        if request.outcome == "client_left":
            yield Happening((request.ended_at or request.time) - began, name, "left", request)
