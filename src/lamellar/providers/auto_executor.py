"""Auto at work."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from ..errors import ConfigError, ErrorKind, ExecutorError
from ..executor import CompositeExecutor, LlmExecutor, Operation, ResultT
from .auth import Auth, ModelName, ServiceTarget
from .dialects import DIALECTS
from .directory import Directory, ModelChoice
from .hooks import ask, wrong_field, wrong_type
from .row import unknown_namespace

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..build import BuildContext
    from ..chat.options import ChatOptions
    from ..chat.request import ChatRequest
    from .auto import Auto
    from .http import HttpExecutor

__all__ = ["AutoExecutor"]

_PLACES = 256
"""Places that a resolver has named whose leaves are kept; the one that was used longest ago goes first."""

_NOT_SERVED = (ErrorKind.CONNECTION, ErrorKind.MODEL_NOT_FOUND)
"""What a local Ollama that is not there, or has no such model, fails with."""

_logger = logging.getLogger("lamellar.auto")


class AutoExecutor(CompositeExecutor):
    """Asks the provider that the model's name leads to.

    Args:
        spec: The options.
        context: What the providers are made with.
    """

    def __init__(self, spec: Auto, context: BuildContext) -> None:
        super().__init__(spec.kind, ())
        self.spec = spec
        self.directory = Directory(spec.rows())
        self._context = context
        self._leaves: dict[str, LlmExecutor] = {}
        self._addresses: dict[str, str] = {}
        self._places: dict[tuple[str, str, str, bool], HttpExecutor] = {}

    def children(self) -> tuple[LlmExecutor, ...]:
        """The providers that were asked so far."""
        return (*self._leaves.values(), *self._places.values())

    def leaf_for(self, choice: ModelChoice) -> LlmExecutor:
        """The provider's executor, made if this is the first call to it.

        Raises:
            ConfigError: Its key is missing, or its dialect is not built.
        """
        leaf = self._leaves.get(choice.entry.namespace)
        if leaf is None:
            try:
                leaf = self.spec.provider(choice.entry.namespace).make(self._context)
            except ConfigError as error:
                raise ConfigError(self._explained(error, choice)) from None
            self._leaves[choice.entry.namespace] = leaf
        return leaf

    def leaf_in(self, namespace: str) -> LlmExecutor:
        """The executor of one provider, made if nobody has asked it yet.

        Raises:
            ConfigError: There is no such provider, or its key is missing.
        """
        row = self.directory.rows.get(namespace)
        if row is None:
            raise ConfigError(f"namespace: {unknown_namespace(namespace, self.directory.rows)}")
        return self.leaf_for(ModelChoice(row, ""))

    async def aclose(self) -> None:
        """Wait for the connections that are being let go."""
        await asyncio.gather(*[leaf.aclose() for leaf in self._places.values()])

    async def _exec(
        self, operation: Operation[ResultT], model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> ResultT:
        spec = self.spec
        if spec.model_mapper is not None:
            model = await self._mapped(spec.model_mapper, model)
        choice = self.directory.choose(model)
        if choice.guessed:
            _logger.info("no rule knows the model '%s'; it is taken for a model of a local Ollama", model)
        if spec.auth_resolver is not None or spec.target_resolver is not None:
            leaf, asked = await self._resolved(choice)
        else:
            leaf, asked = self.leaf_for(choice), choice.model
        if not choice.guessed:
            return await operation(leaf, asked, chat_req, options)
        try:
            return await operation(leaf, asked, chat_req, options)
        except ExecutorError as error:
            if error.kind in _NOT_SERVED:
                told = f"{error.message.rstrip('.')}; {self._guess(model)}. {self.directory.advice(model)}"
                error.message = told
            raise

    async def _mapped(self, hook: Callable[..., object], model: str) -> str:
        found = await ask("model_mapper", hook, model, ErrorKind.INVALID_REQUEST)
        if not isinstance(found, str) or not found:
            raise wrong_type("model_mapper", found, "the name of a model")
        return found

    async def _auth_for(self, name: ModelName) -> Auth | None:
        """Who asks, as the resolver will have it; None is the usual key."""
        hook = self.spec.auth_resolver
        if hook is None:
            return None
        found = await ask("auth_resolver", hook, name, ErrorKind.UNAUTHORIZED)
        if found is None or isinstance(found, Auth):
            return found
        raise wrong_type("auth_resolver", found, "an Auth or None")

    async def _target_for(self, usual: ServiceTarget) -> ServiceTarget:
        """Where the call goes, as the resolver will have it."""
        hook = self.spec.target_resolver
        if hook is None:
            return usual
        found = await ask("target_resolver", hook, usual, ErrorKind.MODEL_NOT_FOUND)
        if not isinstance(found, ServiceTarget):
            raise wrong_type("target_resolver", found, "a ServiceTarget")
        for field in ("namespace", "model", "dialect", "base_url"):
            said = getattr(found, field)
            if not isinstance(said, str) or not said:
                raise wrong_field("target_resolver", found, field, said, "text")
        if found.auth is not None and not isinstance(found.auth, Auth):
            raise wrong_field("target_resolver", found, "auth", found.auth, "an Auth or None")
        return found

    async def _resolved(self, choice: ModelChoice) -> tuple[LlmExecutor, str]:
        """The leaf of one call, and the model to ask it for, as the resolvers will have it."""
        row = choice.entry
        auth = await self._auth_for(ModelName(row.namespace, choice.model))
        address = self._addresses.get(row.namespace)
        if address is None:
            self._addresses[row.namespace] = address = self.spec.provider(row.namespace).address()
        usual = ServiceTarget(row.namespace, choice.model, row.dialect, address, auth)
        target = await self._target_for(usual)
        if target.auth is None and _place(target) == _place(usual):
            return self.leaf_for(choice), target.model
        leaf = self._leaf_of(target, usual)
        if target.auth is not None:
            endpoint, dialect = target.auth.applied(leaf.endpoint, leaf.dialect)
            leaf = leaf.variant(endpoint, dialect, target.auth.hidden())
        return self._context.attempt(leaf), target.model

    def _leaf_of(self, target: ServiceTarget, usual: ServiceTarget) -> HttpExecutor:
        """The leaf of a place; what is wrong with a place that a resolver named is told with the resolver's name."""
        try:
            return self._leaf_at(target, usual)
        except ConfigError as error:
            if _place(target) == _place(usual):
                raise
            raise ConfigError(f"auto.target_resolver: {error}") from None

    def _leaf_at(self, target: ServiceTarget, usual: ServiceTarget) -> HttpExecutor:
        """The leaf of a place, without a key where the call brings its own."""
        keyed = target.auth is None
        place = (*_place(target), keyed)
        leaf = self._places.pop(place, None)
        if leaf is None:
            same = target.namespace == usual.namespace
            provider = self.spec.provider(
                target.namespace,
                dialect=None if same and target.dialect == usual.dialect else target.dialect,
                base_url=None if same and target.base_url == usual.base_url else target.base_url,
            )
            leaf = provider.leaf(self._context, provider.keys() if keyed else ())
            if len(self._places) >= _PLACES:
                self._places.pop(next(iter(self._places)), None)
        self._places[place] = leaf
        return leaf

    def _guess(self, model: str) -> str:
        return f"no rule knows the name '{model}', so it is taken for a model of a local Ollama"

    def _explained(self, error: ConfigError, choice: ModelChoice) -> str:
        """What is wrong with a model's provider, and how it came to be asked."""
        told, row = str(error), choice.entry
        if row.dialect in DIALECTS or row.spec is not None:
            return told
        if not choice.guessed:
            whose = f"model: '{choice.model}' belongs to '{row.namespace}'" if choice.model else "namespace"
            return f"{whose}: {told}"
        return f"model: {self._guess(choice.model)}, and {told}. {self.directory.advice(choice.model)}"


def _place(target: ServiceTarget) -> tuple[str, str, str]:
    return target.namespace, target.dialect, target.base_url
