"""The options of Cache, and of the file it may keep its answers in."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, PlainSerializer, PlainValidator, field_validator, model_validator

from lamellar.durations import Duration, seconds
from lamellar.errors import ConfigError
from lamellar.frozen import Frozen
from lamellar.identity import identity_of
from lamellar.masking import scrub, show
from lamellar.order import Rank
from lamellar.sizes import Size, in_bytes
from lamellar.spec import Given, LayerSpec, Spec

from ..shared import take_identity
from .store import CacheStore

if TYPE_CHECKING:
    from lamellar.build import BuildContext
    from lamellar.executor import LlmExecutor

    from .memory import MemoryStore

__all__ = ["Cache", "SQLiteStore"]


_logger = logging.getLogger("lamellar.cache")


class SQLiteStore(Frozen):
    """Answers in a file, which survive a restart and may be shared by several processes.

    Whatever becomes of the file (it is corrupt, locked, full, gone), the calls go on, and the cause is logged once.

    Args:
        path: The file; its folder is made if it is missing, and ``~`` is the user's home.
    """

    path: str

    @field_validator("path")
    @classmethod
    def _is_a_file(cls, path: str) -> str:
        if not path.strip() or path.startswith((":memory:", "file:")):
            raise ConfigError(f"expected the path of a file, got {show(path)}; for a cache in memory, store='memory'")
        return path


def _parse_store(value: object) -> object:
    if isinstance(value, SQLiteStore) or value == "memory":
        return value
    if isinstance(value, dict) and value.keys() == {"sqlite"}:
        options = value["sqlite"]
        if not isinstance(options, dict):
            raise ConfigError(f"sqlite: expected {{path: …}}, got {show(options)}")
        return SQLiteStore(**options)
    if not isinstance(value, dict | type) and isinstance(value, CacheStore):
        return value
    raise ConfigError(
        f"expected 'memory', {{sqlite: {{path: …}}}} or an object with the methods `get` and `put`, got {show(value)}"
    )


def _dump_store(store: object) -> object:
    if isinstance(store, SQLiteStore):
        return {"sqlite": {"path": store.path}}
    if store == "memory":
        return store
    raise ConfigError(
        "cache.store: an object, which a file cannot hold; declare it (for example `store: memory`), "
        "or build this stack in code"
    )


AnyStore = Annotated[
    Literal["memory"] | SQLiteStore | CacheStore,
    PlainValidator(_parse_store, json_schema_input_type=Literal["memory"] | dict[Literal["sqlite"], SQLiteStore]),
    PlainSerializer(_dump_store),
]
"""``memory``, a file, or any object with the methods of `CacheStore`."""


class Cache(LayerSpec):
    """Answer what was asked before from what was kept, and ask once for those who ask at the same time.

    Args:
        ttl: Seconds an answer is served for, counted from when it was made; None is until there is no room for it.
        max_entries: How many answers are kept at most.
        max_bytes: How many bytes they may take together, as JSON; a number, or text such as "64MB".
        max_entry_bytes: How many bytes one answer may take; also how much of an answer under way is held for those who
            may yet ask for it.
        namespace: Keeps these answers apart from those of other caches in the same store.
        store: ``memory``, a `SQLiteStore`, or an object with the methods of `CacheStore`.
        share: The name under which several caches in memory are one; stacks share it when they are built with the same
            ``shared=``. The bounds of whichever is built first hold.
        store_fallback: Whether the answer of a target that was not the first choice is kept, too.
        single_flight: Whether equal calls at the same time make one call to the provider.
        fingerprint: Stands for everything inside in the keys, instead of what is found there; change it when what is
            inside changes. It is needed where a function without an importable name is inside. (`identity` is
            understood too; as a field, that name is taken by the method of every spec.)

    Raises:
        ConfigError: Options contradict each other.
    """

    kind: ClassVar[str] = "cache"
    rank: ClassVar[Rank | None] = Rank.CACHE
    asks_once: ClassVar[bool] = True
    model_config = {"arbitrary_types_allowed": True}

    ttl: Duration | None = None
    max_entries: int = Field(default=10_000, gt=0)
    max_bytes: Size = 64_000_000
    max_entry_bytes: Size = 1_000_000
    namespace: str = ""
    store: AnyStore = "memory"
    share: str | None = None
    store_fallback: bool = False
    single_flight: bool = True
    fingerprint: str | None = None

    _identity_says_the_same = model_validator(mode="before")(take_identity)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.ttl is not None and seconds(self.ttl) <= 0:
            raise ConfigError("ttl: more than zero seconds, or None for as long as there is room")
        if in_bytes(self.max_entry_bytes) > in_bytes(self.max_bytes):
            raise ConfigError(
                f"max_entry_bytes={self.max_entry_bytes} can never act, because max_bytes={self.max_bytes} is less"
            )
        if self.share is not None and self.store != "memory":
            raise ConfigError(
                "share: names a cache in memory; a file is shared by its path, an object by handing it in"
            )
        return self

    def wrap(self, inner: LlmExecutor, context: BuildContext) -> LlmExecutor:
        """The cache round `inner`.

        Raises:
            ConfigError: What stands inside cannot be told from something else, and no `fingerprint` is given.
        """
        from .executor import CacheExecutor
        from .key import KeyMaker

        keys = KeyMaker(self.namespace, self._inside(context))
        executor = CacheExecutor(inner, self, self._open(context), keys, clock=context.clock, rng=context.rng)
        context.own(executor)
        return executor

    def identity(self) -> object:
        """Nothing: what is kept was an answer of what is inside."""
        return None

    def _inside(self, context: BuildContext) -> object:
        """What stands for everything inside, as JSON data."""
        if self.fingerprint is not None:
            return self.fingerprint
        try:
            found = identity_of(context.below)
            json.dumps(found)
        except Exception as error:  # a spec of anybody's is asked here
            raise ConfigError(
                f"cache: what is inside cannot be told apart from something else, so its answers cannot be kept: "
                f"{scrub(str(error))}; or say what it is: Cache(fingerprint='my stack, version 1')"
            ) from None
        if self.store != "memory":
            for opaque in _opaque(context.below):
                _logger.warning(
                    "cache: the executor '%s' was given as an object, which no later process knows again, so what the "
                    "store keeps of it serves this one only; give it a method identity(), or the cache a fingerprint",
                    opaque.label,
                )
        return found

    def _open(self, context: BuildContext) -> CacheStore:
        if isinstance(self.store, SQLiteStore):
            from .sqlite import SQLiteAnswers

            file = SQLiteAnswers(
                self.store.path,
                context.clock,
                max_entries=self.max_entries,
                max_bytes=in_bytes(self.max_bytes),
            )
            context.own(file)  # before the executor, so that it is closed after it
            return file
        if self.store != "memory":
            return self.store
        from .memory import MemoryStore

        def make() -> MemoryStore:
            return MemoryStore(context.clock, max_entries=self.max_entries, max_bytes=in_bytes(self.max_bytes))

        # An answer knows for how long it may be served; on another `ttl` those that were kept before are too old.
        terms = (self.max_entries, self.max_bytes, self.ttl)
        if self.share is None:
            return context.keep(MemoryStore, make, terms=terms)
        return context.share(self.share, MemoryStore, make, terms=terms)


def _opaque(specs: Iterable[Spec]) -> Iterator[Given]:
    """The executors among these specs, and within them, that nothing but the object tells apart."""
    for spec in specs:
        if isinstance(spec, Given) and spec.is_opaque:
            yield spec
        yield from _opaque(spec.children())
