"""Cache: answer what was asked before, and ask once for those who ask at the same time.

An entry is one canonical answer. It is written when the answer is whole, it serves both kinds of call, and as a stream
it comes as events again. Its key is a hash of everything that could make the answer another one: the whole request,
the options that are sent, the model, and what stands inside the layer; see `lamellar_middleware.cache.key`.

Equal calls at the same time share a flight: one task that asks the provider, and readers who each keep to their own
bounds. The flight goes on for as long as one of them waits; see `lamellar_middleware.cache.flight`.

Whatever the store does, the calls go on: what it fails with is logged once, and told to nobody else.
"""

from __future__ import annotations

from .spec import Cache, SQLiteStore
from .store import CacheStore, StoredAnswer

__all__ = ["Cache", "CacheStore", "SQLiteStore", "StoredAnswer"]
