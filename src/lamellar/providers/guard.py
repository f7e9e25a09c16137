"""The guard of a leaf: what a model certainly cannot serve is refused before it is sent, and goes to one that can.

Only what is known refuses: by the catalogue, by `abilities=` of the provider, by `context_window=` and `prefill=` of
the `Target`, the later over the earlier. What nobody knows is sent, and the provider decides.

A prompt's size is told from below, so that nothing is refused which might fit. A token is taken for eight characters or
more only in runs of blanks or of one repeated sign; on average it is four of English and of code, and less in other
scripts (https://help.openai.com/en/articles/4936856, https://openai.com/index/hello-gpt-4o). And no tokenizer of these
models joins two words into one token: the text is split at blanks before anything is merged
(https://github.com/openai/tiktoken/blob/main/tiktoken_ext/openai_public.py). So the floor is the greater of the words
and an eighth of the characters that are no blanks. Images, documents, audio, tools and what the provider wraps round a
message count as nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..chat.content import Binary, Text, ToolResponse
from ..chat.options import JsonSchemaFormat
from ..errors import ErrorKind, ExecutorError
from .abilities import Abilities, abilities_of

if TYPE_CHECKING:
    from ..chat.options import ChatOptions
    from ..chat.request import ChatRequest
    from .catalog import CatalogEntry

__all__ = ["OVERFLOW", "Guard", "guard_for"]

OVERFLOW = "context_window"
"""The code of a prompt that was not sent because it cannot fit; the kind is ``context_overflow``."""

_CHARACTERS = 8
"""Characters of a token, at most, on average."""

_MODELS = 256
"""Models of which a guard remembers what they can do."""

_TOGETHER = frozenset({"openai", "azure", "vllm"})
"""Namespaces that refuse a prompt which leaves no room for `max_tokens` ("you requested 130000 tokens (8000 in the
messages, 122000 in the completion)"). Gemini counts the answer apart, Claude 4.5 and later stop when the window is
full, Fireworks asks for less by itself (`context_length_exceeded_behavior`); of others it is not known."""

_SHORTENING = frozenset({"truncation", "transforms", "plugins", "context_management", "prompt_truncate_len"})
"""What a caller's `extra_body` says to have the provider cut a prompt to size: OpenAI's Responses, OpenRouter (which
has compression among its plugins too), Anthropic, Fireworks. What then fits is theirs to say."""

_MEDIA = {"image": "images", "audio": "audio", "application": "documents"}
"""The ability that the first word of a media type asks for. Text that is attached is text to most providers."""


def guard_for(entry: CatalogEntry, *said: Abilities) -> Guard | None:
    """The guard of a leaf, or None where nothing is known of any of its models.

    Args:
        entry: Its row in the catalogue.
        said: What the user says, the nearest to the call first.
    """
    own = Abilities()
    for each in reversed(said):
        own = each.over(own)
    if entry.models or entry.abilities.known() or own.known():
        return Guard(entry, own)
    return None


class Guard:
    """Knows what the models behind one leaf can do.

    Args:
        entry: The leaf's row in the catalogue.
        said: What the user says, over the catalogue.
    """

    __slots__ = ("_entry", "_known", "_said", "_together")

    def __init__(self, entry: CatalogEntry, said: Abilities) -> None:
        self._entry = entry
        self._said = said
        self._together = entry.namespace in _TOGETHER
        self._known: dict[str, Abilities | None] = {}

    def abilities(self, model: str) -> Abilities | None:
        """What is known of a model, or None where it is nothing."""
        try:
            return self._known[model]
        except KeyError:
            found = self._said.over(abilities_of(self._entry, model))
            if len(self._known) >= _MODELS:
                self._known.clear()
            self._known[model] = known = found if found.known() else None
            return known

    def check(self, model: str, chat_req: ChatRequest, options: ChatOptions | None) -> None:
        """Let the request pass, unless the model certainly cannot serve it.

        Raises:
            ExecutorError: Kind ``invalid_request`` and code ``unsupported``, or kind ``context_overflow`` and code
                ``context_window``. Nothing was sent; another target may be asked.
        """
        known = self.abilities(model)
        if known is None:
            return
        found = next(_missing(known, chat_req, options), None)
        if found is not None:
            raise self._unsupported(model, *found)
        shortened = options is not None and options.extra_body and not _SHORTENING.isdisjoint(options.extra_body)
        if known.context_window is not None and not shortened:
            self._measure(known.context_window, model, chat_req, options)

    def _unsupported(self, model: str, field: str, ability: str, what: str) -> ExecutorError:
        return ExecutorError(
            ErrorKind.INVALID_REQUEST,
            f"{field}: '{model}' {what}, so nothing was sent; ask a model that does, such as another target's, or, "
            f'if this one does, say so: abilities={{"{ability}": True}}',
            provider=self._entry.namespace,
            model=model,
            code="unsupported",
            failover=True,
        )

    def _measure(self, window: int, model: str, chat_req: ChatRequest, options: ChatOptions | None) -> None:
        asked = options.max_tokens if self._together and options is not None and options.max_tokens is not None else 0
        room = window - asked
        texts = list(_texts(chat_req))
        # A word has a letter and a blank after it, so fewer characters than that need no closer look.
        if sum(map(len, texts)) + len(texts) <= 2 * room:
            return
        least = 0
        for text in texts:
            words = text.split()
            least += max(len(words), sum(map(len, words)) // _CHARACTERS)
        if least <= room:
            return
        answer = f", max_tokens asks for {asked} more," if asked else ""
        raise ExecutorError(
            ErrorKind.CONTEXT_OVERFLOW,
            f"messages: the prompt has {least} tokens or more{answer} and the window of '{model}' has {window}, so "
            "nothing was sent; ask a model with a larger window, or say less, or, if this one's is larger, say so: "
            'abilities={"context_window": ...}',
            provider=self._entry.namespace,
            model=model,
            code=OVERFLOW,
        )


def _missing(known: Abilities, chat_req: ChatRequest, options: ChatOptions | None) -> Iterator[tuple[str, str, str]]:
    """What the request asks for and the model has not: the field, the ability, and how it is said."""
    if known.tools is False and chat_req.tools:
        yield "tools", "tools", "calls no tools"
    if known.json_schema is False and options is not None and isinstance(options.answer_format, JsonSchemaFormat):
        yield "response_format", "json_schema", "answers by no JSON Schema"
    messages = chat_req.messages
    if known.prefill is False and messages and messages[-1].role == "assistant":
        yield f"messages[{len(messages) - 1}]", "prefill", "does not go on from a partial answer"
    if known.images is False or known.documents is False or known.audio is False:
        for at, message in enumerate(messages):
            for place, part in enumerate(message.content):
                if isinstance(part, Binary):
                    ability = _MEDIA.get(part.content_type.lower().partition("/")[0])
                    if ability is not None and getattr(known, ability) is False:
                        yield f"messages[{at}].content[{place}]", ability, f"takes no {ability}"


def _texts(chat_req: ChatRequest) -> Iterator[str]:
    """The texts that certainly go into the prompt; reasoning does not go back everywhere."""
    if chat_req.system:
        yield chat_req.system
    for message in chat_req.messages:
        for part in message.content:
            if isinstance(part, Text):
                yield part.text
            elif isinstance(part, ToolResponse) and isinstance(part.content, str):
                yield part.content
