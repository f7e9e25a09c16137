"""The models that the providers of a tree offer: who can be asked, and the asking of all of them at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from .durations import parse_duration
from .errors import ConfigError
from .frozen import nearest

if TYPE_CHECKING:
    from .executor import LlmExecutor
    from .providers.listing import ListedModel

__all__ = ["ListsByNamespace", "ListsModels", "list_models"]


@runtime_checkable
class ListsModels(Protocol):
    """A leaf whose provider can be asked for its models."""

    @property
    def name(self) -> str:
        """The provider's namespace."""
        ...

    @property
    def source(self) -> object:
        """What tells it from another leaf: one that is equal gives the same list."""
        ...

    async def list_models(self, *, timeout: float) -> tuple[ListedModel, ...]:
        """Every model it offers."""
        ...


@runtime_checkable
class ListsByNamespace(Protocol):
    """What makes its leaves as they are asked for."""

    def leaf_in(self, namespace: str) -> LlmExecutor:
        """The leaf of a namespace, made if need be."""
        ...


async def list_models(root: object, namespace: str | None, timeout: float | str) -> tuple[ListedModel, ...]:
    """What the providers below `root` offer, in the order in which they stand; each is asked once, all at a time.

    Args:
        root: The tree.
        namespace: Only this provider; None asks all.
        timeout: Seconds that each provider may take, or text such as "10s".

    Raises:
        ConfigError: There is no such provider, or none at all to ask; or the timeout is none.
        ExecutorError: The first of those that failed, in their order.
    """
    try:
        limit = parse_duration(timeout)
    except ValueError as error:
        raise ConfigError(f"timeout: {error}") from None
    found = {leaf.source: leaf for leaf in _leaves(root, namespace)}
    if not found:
        raise ConfigError(_none(root, namespace))
    lists = await asyncio.gather(*[leaf.list_models(timeout=limit) for leaf in found.values()], return_exceptions=True)
    try:
        for each in lists:
            if isinstance(each, BaseException):
                raise each
        return tuple([model for each in lists if not isinstance(each, BaseException) for model in each])
    finally:
        del lists  # or an error would hold this frame, and the frame the error


def _leaves(root: object, namespace: str | None) -> Iterator[ListsModels]:
    from .executor import walk

    for executor in walk(root):
        if namespace is not None and isinstance(executor, ListsByNamespace):
            leaf: object = executor.leaf_in(namespace)
            yield from [each for each in walk(leaf) if isinstance(each, ListsModels)]
        elif isinstance(executor, ListsModels) and namespace in (None, executor.name):
            yield executor


def _none(root: object, namespace: str | None) -> str:
    from .executor import walk

    if namespace is None:
        if any(isinstance(each, ListsByNamespace) for each in walk(root)):
            return "namespace: no provider has been asked yet; name the one to ask, such as 'openai'"
        return "list_models: there is no provider below that is reached by HTTP"
    names = sorted({each.name for each in _leaves(root, None)})
    there = f"; there is {', '.join(names)}" if names else ""
    return f"namespace: there is no provider '{namespace}' in this stack{nearest(namespace, names)}{there}"
