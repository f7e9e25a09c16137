"""Defaults: options and a system prompt for calls that do not say otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from lamellar.chat.declared import DeclaredOptions, OptionFields
from lamellar.chat.options import ChatOptions
from lamellar.executor import ExecutorWrapper, LlmExecutor, Operation, ResultT
from lamellar.frozen import Frozen
from lamellar.identity import identity_of_options
from lamellar.spec import LayerSpec

if TYPE_CHECKING:
    from lamellar.build import BuildContext
    from lamellar.chat.request import ChatRequest

__all__ = ["Defaults", "DefaultsExecutor"]


class SystemField(Frozen):
    """The system prompt alone."""

    # Pydantic lists a class's own fields after those of its bases, the last base's first. Only as a base of its own
    # does the system prompt stand before the options, in files and in the reference.
    system: str | None = None


class Defaults(OptionFields, SystemField, LayerSpec):
    """Options for calls that do not say otherwise: `Defaults(temperature=0, max_tokens=500)`.

    Each is an option of `ChatOptions`, by its name. What the caller says wins, whole value by whole value: a caller's
    `extra_headers` replace those given here, they are not merged.

    Args:
        system: The system prompt of a request that has none, neither as `system` nor as a message of that role.
        temperature: Sampling temperature.
        max_tokens: Bound on the answer's tokens.
        top_p: Nucleus sampling.
        frequency_penalty: Penalty on tokens by how often they occurred.
        presence_penalty: Penalty on tokens that occurred at all.
        stop_sequences: Texts at which the answer stops.
        seed: For reproducible sampling.
        response_format: ``"json"``, a `JsonSchemaFormat`, or a pydantic class for its schema.
        tool_choice: Whether a tool may, must or must not be called.
        parallel_tool_calls: Whether several tools may be called at once.
        reasoning_effort: A word, or a budget in tokens.
        verbosity: How long an answer should be.
        service_tier: The provider's class of service.
        cache_control: Marks the whole prompt as cacheable by the provider.
        prompt_cache_key: Routes equal prefixes to the same cache of the provider.
        normalize_reasoning_content: Lift an inline ``<think>`` block out of the text into the reasoning.
        extra_headers: Headers added to the request. A value may be `{env: NAME}` or `{file: path}`; one that holds a
            credential, such as `authorization`, is a secret.
        extra_body: JSON merged into the request's body last.
        capture_raw_body: Keep the provider's body in `ChatResponse.raw`.

    Raises:
        ConfigError: A value is none that `ChatOptions` takes.
    """

    kind: ClassVar[str] = "defaults"
    asks_once: ClassVar[bool] = True

    def options(self) -> DeclaredOptions:
        """What is said here, but for the system prompt."""
        return DeclaredOptions(**{name: value for name, value in self if name != "system" and value is not None})

    def wrap(self, inner: LlmExecutor, context: BuildContext) -> LlmExecutor:
        """The layer at work."""
        return DefaultsExecutor(inner, self.options().resolved(self.kind), self.system)

    def identity(self) -> object:
        """What is sent where the caller does not say otherwise."""
        return {self.kind: {"options": identity_of_options(self.options()), "system": self.system}}


class DefaultsExecutor(ExecutorWrapper):
    """Fills in what a call does not say.

    Args:
        inner: The executor to wrap.
        options: The options.
        system: The system prompt, or None.
    """

    def __init__(self, inner: LlmExecutor, options: ChatOptions, system: str | None) -> None:
        super().__init__(inner)
        self.options = options
        self.system = system

    async def _exec(
        self, operation: Operation[ResultT], model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> ResultT:
        if self.system is not None and not _has_system(chat_req):
            chat_req = chat_req.with_system(self.system)
        options = self.options if options is None else options.over(self.options)
        return await operation(self.inner, model, chat_req, options)


def _has_system(chat_req: ChatRequest) -> bool:
    return chat_req.system is not None or any(message.role == "system" for message in chat_req.messages)
