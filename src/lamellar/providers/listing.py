"""Which models a provider offers: how it is asked, a page at a time, and what it says. No I/O here.

A dialect that can list its models has a `ModelListing`: two pure functions, in a file of its own. The form of OpenAI's
`GET /models` is here, for more than one dialect has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlencode

from .headers import JSON, auth_headers
from .names import name_of

if TYPE_CHECKING:
    from .wire import Endpoint, WireRequest

__all__ = [
    "OPENAI_MODELS",
    "AskForModels",
    "ListedModel",
    "ModelListing",
    "ModelPage",
    "ReadModels",
    "UnreadableListError",
    "date_in",
    "first_count",
    "get",
    "models_in",
    "nested",
]

_LATEST = 253_402_300_799  # the last second that a date can name


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model that a provider offers, as far as the provider says so. None is "not said".

    Args:
        id: The name to ask it by.
        provider: The provider's namespace.
        created: When it was made or last changed.
        context_window: Tokens that a prompt may have, or that prompt and answer may have together.
        max_output_tokens: Tokens that an answer may have.
        display_name: What people call it.
    """

    id: str
    provider: str
    created: datetime | None = None
    context_window: int | None = None
    max_output_tokens: int | None = None
    display_name: str | None = None


@dataclass(frozen=True, slots=True)
class ModelPage:
    """One page of a list.

    Args:
        models: Its models.
        next: What asks for the next page, or None at the end.
    """

    models: tuple[ListedModel, ...]
    next: str | None = None


AskForModels: TypeAlias = "Callable[[Endpoint, str | None], WireRequest]"
"""The request for a page: the first one, or the one that the page before named."""

ReadModels: TypeAlias = Callable[[str, Mapping[str, object]], ModelPage]
"""A page out of the provider's namespace and the body's JSON; a bare list is given as ``{"data": [...]}``.

It raises `UnreadableListError` where the body is no page.
"""


class UnreadableListError(ValueError):
    """A body that is no page of a list; the message goes on from "the list of models"."""


@dataclass(frozen=True, slots=True)
class ModelListing:
    """How a dialect lists models.

    Args:
        ask: Makes the request for a page.
        read: Reads it.
    """

    ask: AskForModels
    read: ReadModels


def get(
    endpoint: Endpoint,
    path: str,
    *,
    key_header: str = "authorization",
    query: Mapping[str, str] | None = None,
    **own: str,
) -> WireRequest:
    """A GET at an endpoint.

    Args:
        endpoint: Where it goes; a query in its base URL stays.
        path: What is appended to the base URL's path.
        key_header: Where the dialect's own provider wants the key.
        query: Further parameters.
        **own: The dialect's own headers, with underscores for hyphens.
    """
    from .wire import WireRequest

    base, _, said = endpoint.base_url.partition("?")
    asked = "&".join(filter(None, (said, urlencode(query or {}))))
    headers = {"accept": JSON, **{name.replace("_", "-"): value for name, value in own.items()}}
    headers.update(auth_headers(endpoint, key_header=key_header))
    headers.update({name.lower(): value for name, value in endpoint.headers.items()})
    return WireRequest(f"{base.rstrip('/')}{path}{f'?{asked}' if asked else ''}", headers, b"", "GET")


def models_in(
    body: Mapping[str, object], name: str, read: Callable[[Mapping[str, object]], ListedModel | None]
) -> tuple[ListedModel, ...]:
    """The models in a list of the body; what is none among them is passed over.

    Args:
        body: The body's JSON.
        name: The list's name. A list that is null is an empty one: Go's servers write it so.
        read: The model in an entry, or None where it is none.

    Raises:
        UnreadableListError: There is no such list, or not one of its entries is a model.
    """
    found = body.get(name, ())
    if found is None:
        return ()
    if not isinstance(found, list):
        raise UnreadableListError(f"has no '{name}' that is a list")
    models = tuple([model for each in found if isinstance(each, dict) and (model := read(each)) is not None])
    if found and not models:
        raise UnreadableListError(f"names no model in '{name}'")
    return models


def nested(item: Mapping[str, object], name: str) -> Mapping[str, object]:
    """An object within an object; an empty one where there is none."""
    found = item.get(name)
    return found if isinstance(found, dict) else {}


def first_count(*values: object) -> int | None:
    """The first of these that is a number of tokens."""
    for value in values:
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None


def date_in(value: object) -> datetime | None:
    """A moment since the epoch in seconds, or one in RFC 3339; what is none is not said."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, UTC) if 0 < value <= _LATEST else None
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _ask(endpoint: Endpoint, after: str | None) -> WireRequest:
    return get(endpoint, "/models", query={} if after is None else {"after": after})


def _read(provider: str, body: Mapping[str, object]) -> ModelPage:
    """OpenAI's list, and what others say beside it: Groq, Mistral, OpenRouter, Together, vLLM."""
    models = models_in(body, "data", lambda item: _model(provider, item))
    return ModelPage(models, name_of(body.get("last_id")) if body.get("has_more") is True else None)


def _model(provider: str, item: Mapping[str, object]) -> ListedModel | None:
    model = name_of(item.get("id"))
    if model is None:
        return None
    top = nested(item, "top_provider")
    windows = [item.get(name) for name in ("context_window", "context_length", "max_context_length", "max_model_len")]
    answers = (item.get("max_completion_tokens"), item.get("max_output_tokens"), top.get("max_completion_tokens"))
    shown = name_of(item.get("display_name")) or name_of(item.get("name"))
    return ListedModel(
        model,
        provider,
        date_in(item.get("created")),
        first_count(*windows),
        first_count(*answers),
        None if shown == model else shown,
    )


OPENAI_MODELS = ModelListing(_ask, _read)
"""`GET /models` as OpenAI has it; most servers give the whole list in one page."""
