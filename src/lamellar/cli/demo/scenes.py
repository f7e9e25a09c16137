"""What the demo plays: six scenes, each with what the providers do and what must come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...testing.simulator import Answer, Reply, Silence, overloaded, rate_limited

__all__ = [
    "BACKUP",
    "FIRST_CONTENT",
    "KEY_VARIABLE",
    "LIMIT",
    "PRIMARY",
    "PROVIDER_LIMIT",
    "RETRY_AFTER",
    "SCENES",
    "STACK",
    "Burst",
    "Scene",
]

PRIMARY, BACKUP = "primary", "backup"

KEY_VARIABLE = "LAMELLAR_DEMO_KEY"
"""The environment variable that holds the demo's key: the simulators demand it, so the stack must have read it."""

RETRY_AFTER = 1.0
FIRST_CONTENT = 1.0

LIMIT = 15
"""Requests a second that the stack sends at most."""

PROVIDER_LIMIT = 18
"""Requests a second that the primary takes. The stack counts them as they leave, the provider as they arrive, closer
together at times: whoever sends all that a provider takes is refused now and then."""

STACK = """\
version: 1
layers:
  - tracing
  - cache: {{ttl: 10m}}
  - timeout: {{total: 30s, first_content: 1s, idle: 5s}}
executor:
  fallback:
    targets:
      - name: primary
        model: gpt-4o-mini
        layers:
          - retry: {{attempts: 2, overloaded_initial: 400ms}}
          - rate_limit: {{requests_per_second: {limit}}}
        executor:
          openai:
            base_url: {primary}
            api_key: {{env: {key}}}
      - name: backup
        model: claude-haiku-4-5
        layers: [retry]
        executor:
          anthropic:
            base_url: {backup}
            api_key: {{env: {key}}}
"""


@dataclass(frozen=True)
class Scene:
    """One question.

    Args:
        key: Its name in the facts.
        title: Its heading.
        story: What the providers do, in a sentence or two.
        question: What is asked.
        scripts: What each provider plays.
        statuses: The HTTP statuses each provider must have sent; None where it sent none.
        answers: The provider whose answer must arrive; None where the answer comes from none of them.
        whole: Whether the answer is asked in one piece. Default: as a stream.
    """

    key: str
    title: str
    story: str
    question: str
    scripts: Mapping[str, tuple[Reply, ...]]
    statuses: Mapping[str, tuple[int | None, ...]]
    answers: str | None
    whole: bool = False


@dataclass(frozen=True)
class Burst:
    """Many questions at once, all of them to the primary.

    Args:
        key: Its name in the facts.
        title: Its heading.
        story: What the primary does, in a sentence or two.
        answers: The questions in the order of asking, and what the primary answers to each.
    """

    key: str
    title: str
    story: str
    answers: Mapping[str, str]


_SKY = "Why is the sky blue?"

SCENES: tuple[Scene | Burst, ...] = (
    Scene(
        key="stream",
        title="A stream, word by word",
        story="The primary is well. Its answer is shown as it comes.",
        question=_SKY,
        scripts={
            PRIMARY: (
                Answer(
                    "Sunlight holds every color. Air scatters the short, blue waves far more than the long, red ones, "
                    "so blue reaches your eye from every side."
                ),
            ),
            BACKUP: (),
        },
        statuses={PRIMARY: (200,), BACKUP: ()},
        answers=PRIMARY,
    ),
    Scene(
        key="cache",
        title="The same question again",
        story="Asked in one piece this time. The cache has the answer of the stream.",
        question=_SKY,
        scripts={PRIMARY: (), BACKUP: ()},
        statuses={PRIMARY: (), BACKUP: ()},
        answers=None,
        whole=True,
    ),
    Scene(
        key="retry_after",
        title="A rate limit that says how long to wait",
        story="The primary answers 429 and Retry-After: 1. Asking sooner makes it worse.",
        question="Why is the sea salty?",
        scripts={
            PRIMARY: (
                rate_limited(retry_after=RETRY_AFTER),
                Answer(
                    "Rain dissolves a little salt from the rock, and rivers carry it down. The water leaves again as "
                    "vapor; the salt stays."
                ),
            ),
            BACKUP: (),
        },
        statuses={PRIMARY: (429, 200), BACKUP: ()},
        answers=PRIMARY,
    ),
    Scene(
        key="fallback",
        title="A provider that is down",
        story="The primary answers 503, twice. The backup takes over, in another dialect.",
        question="Why do cats purr?",
        scripts={
            PRIMARY: (overloaded(), overloaded()),
            BACKUP: (
                Answer(
                    "Small muscles in the throat open and close some twenty-five times a second. Cats do it when they "
                    "are content, and also to calm themselves."
                ),
            ),
        },
        statuses={PRIMARY: (503, 503), BACKUP: (200,)},
        answers=BACKUP,
    ),
    Scene(
        key="silence",
        title="A provider that accepts, and says nothing",
        story="No status, no error, only silence. After one second the stack moves on.",
        question="Why does bread rise?",
        scripts={
            PRIMARY: (Silence(),),
            BACKUP: (
                Answer(
                    "Yeast eats the sugar in the dough and breathes out gas. Gluten holds the bubbles, and the oven "
                    "sets them."
                ),
            ),
        },
        statuses={PRIMARY: (None,), BACKUP: (200,)},
        answers=BACKUP,
    ),
    Burst(
        key="burst",
        title="Twenty questions at once",
        story=f"The primary refuses what exceeds {PROVIDER_LIMIT} a second. The stack keeps to {LIMIT}.",
        answers={f"What is {n} times {n}?": f"{n} times {n} is {n * n}." for n in range(1, 21)},
    ),
)
