"""What must not come back from a request: the secrets that were sent with it, wherever they stood.

Servers and gateways quote what they refuse, so an error's text is scrubbed of everything secret that its request
carried: the keys, headers that were given as secrets, and whatever stands in a header whose name is that of a
credential, be it a caller's own, a cookie, or what signed the request. Which those are is looked up when an error is
made: a call that succeeds does not pay for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from ..masking import is_secret_name

__all__ = ["SentSecrets"]

_names_a_secret = lru_cache(maxsize=256)(is_secret_name)


class SentSecrets:
    """The secrets of one request, for as often as they are asked for.

    Args:
        known: Those that are known whatever was sent, such as the keys.
        headers: The request's headers. They are read when somebody asks, so what signs the request later counts too.
    """

    __slots__ = ("_headers", "_known")

    def __init__(self, known: tuple[str, ...], headers: Mapping[str, str]) -> None:
        self._known = known
        self._headers = headers

    def __iter__(self) -> Iterator[str]:
        """Each of them, and the parts by which it may be quoted; the longest first, for one may begin another."""
        found = set(self._known)
        for name, value in self._headers.items():
            if _names_a_secret(name):
                found.add(value)
                if "cookie" in name.lower():
                    found.update([each.partition("=")[2].strip() for each in value.split(";")])
                else:
                    found.add(value.rpartition(" ")[2])  # what follows "Bearer"
        return iter(sorted(found, key=len, reverse=True))

    def __repr__(self) -> str:
        return "SentSecrets()"
