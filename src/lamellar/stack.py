"""The declaration of a whole stack, and the verb that builds it."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from .errors import ConfigError
from .identity import identity_of
from .masking import show
from .plugin_errors import plugins_named
from .spec import MAX_LAYERS, AnyExecutor, AnyLayer, ExecutorSpec, LayerSpec, Spec

if TYPE_CHECKING:
    import os
    import random

    from pydantic import JsonValue

    from .build import BuildContext
    from .clock import Clock
    from .durations import Duration
    from .executor import LlmExecutor
    from .lint import Bounds, Finding, Where
    from .reload import Reload, WatchedExecutor
    from .root import StackExecutor

__all__ = ["Stack"]


class Stack(ExecutorSpec):
    """Layers, then one executor: `Stack(Timeout(total=60), Retry(), OpenAI())`, the first listed outermost.

    A lone `Stack` in the executor's place is unpacked, so the nested and the flat spelling are equal. A runtime
    executor of one's own may stand last.

    Args:
        layers: The layers, the first listed outermost; 200 at most.
        executor: The executor they wrap.
        version: The version of the file format.

    Raises:
        ConfigError: There is no executor last, or an option is wrong.
    """

    kind: ClassVar[str] = "stack"

    version: Literal[1] = 1
    layers: tuple[AnyLayer, ...] = Field(default=(), max_length=MAX_LAYERS)
    executor: AnyExecutor

    def __init__(self, *plates: object, **data: Any) -> None:
        from .target import split_plates

        super().__init__(**split_plates("Stack", plates, data))

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, data: object) -> object:
        from .target import unpack_stack

        return unpack_stack(data)

    @field_validator("version", mode="before")
    @classmethod
    def _known_version(cls, version: object) -> object:
        if version != 1 or type(version) is not int:
            raise ConfigError(f"this Lamellar reads version 1 of the format, got {show(version)}; write `version: 1`")
        return version

    @classmethod
    def preset(
        cls, *targets: object, cache: LayerSpec | None = None, timeout: LayerSpec | None = None, attempts: int = 3
    ) -> Self:
        """The stack a careful operator would write: tracing, a bound on the call, failover, retries, provider limits.

        From outermost to innermost: `Tracing`, `cache` if one is given, `Timeout`, `Fallback` over the targets, and in
        each target `Retry`, a `CircuitBreaker` and a `RateLimit` that keeps to what the provider asks (`retry-after`).
        A stream that breaks is asked for again and spliced (`on_interrupt="restart"`). A layer of the same kind in a
        target of one's own stands instead. The result is a stack like any other: print, change or dump it.

        With several targets a stream must begin within 10 s (a stall is noticed after 15 s) or the next one is asked,
        and the call ends after 300 s. A target alone has 60 s for each, and 600 s in all. A target whose model thinks
        in silence for longer says so: `Target(Timeout(first_content=60), OpenAI(), model="o3")`.

        Args:
            targets: The targets, the primary first; a bare executor is a target without a model.
            cache: A `Cache`, for calls that may be answered by the answer to an equal one; None is none.
            timeout: A `Timeout` instead of the limits above.
            attempts: Attempts at each target, the first included.

        Raises:
            ConfigError: There is no target, or an option is wrong.
        """
        from .preset import preset_plates

        layers, executor = preset_plates(targets, cache=cache, timeout=timeout, attempts=attempts)
        return cls(*layers, executor)

    @property
    def label(self) -> str:
        """What the executor inside is called."""
        return self.executor.label

    def children(self) -> tuple[Spec, ...]:
        """The layers and the executor."""
        return (*self.layers, self.executor)

    def identity(self) -> object:
        """What of the whole stack changes an answer."""
        return identity_of(self.children())

    def make(self, context: BuildContext) -> LlmExecutor:
        """The tree without a root of its own: as a part of a larger stack."""
        from .build import assemble

        return assemble(self.layers, self.executor, context)

    def build(
        self,
        *,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        http_client: object | None = None,
        shared: MutableMapping[str, object] | None = None,
    ) -> StackExecutor:
        """Make the executor.

        Args:
            clock: Where time comes from; the running loop's by default.
            rng: Where randomness comes from; a fresh `random.Random` by default.
            http_client: An `httpx.AsyncClient` (or httpx2's) that every provider uses; it is never closed by us.
            shared: What several stacks share, by the name their specs give (`share=`): hand the same dictionary to each
                `build`. What is missing is made and put there; it is not closed with any one stack.

        Raises:
            ConfigError: A key is missing, or something that is named is not there.
        """
        from random import Random

        from .build import BuildContext
        from .clock import LoopClock
        from .root import StackExecutor

        context = BuildContext(
            clock=clock or LoopClock(),
            rng=rng or Random(),  # noqa: S311 -- for jitter, not for secrets
            http_client=http_client,
            shared={} if shared is None else shared,
        )
        with plugins_named():
            inner = self.make(context)
        context.inheritance.settle()
        return StackExecutor(inner, clock=context.clock, rng=context.rng, resources=context.resources, spec=self)

    def lint(self) -> tuple[Finding, ...]:
        """What is doubtful in this stack, in the order of its plates; works without keys.

        Each finding has a stable code, a severity, its place, and a mend.
        """
        from .lint import lint

        with plugins_named():
            return lint(self)

    def bounds(self) -> Bounds:
        """How often one call may ask providers at most, and how long it may wait for them; works without keys."""
        from .lint.bounds import Where

        with plugins_named():
            return self.bounded(Where())

    def bounded(self, where: Where) -> Bounds:
        """The same for a place inside another stack."""
        from .lint.bounds import bounds_of

        return bounds_of(self.layers, self.executor, where)

    def describe(self) -> str:
        """The stack as a tree of text; works without keys."""
        from .describe import tree

        with plugins_named():
            return tree(self)

    def to_mermaid(self) -> str:
        """The stack as a Mermaid flowchart, the same for equal stacks; works without keys, and shows no secret."""
        from .pictures import to_mermaid

        with plugins_named():
            return to_mermaid(self)

    def to_svg(self, *, title: str = "Stack") -> str:
        """The stack as an SVG image, the same for equal stacks; works without keys, and shows no secret.

        It reads in light and dark, fetches nothing, holds no script, and says in words what it shows.

        Args:
            title: What stands above it.
        """
        from .pictures import to_svg

        with plugins_named():
            return to_svg(self, title=title)

    @classmethod
    def load(cls, path: str | os.PathLike[str], name: str | None = None) -> Self:
        """A stack from a YAML, TOML or JSON file, by its ending.

        Args:
            path: The file.
            name: Which of its stacks. None is the one it calls `default`, or the only one it holds.

        Raises:
            ConfigError: The file cannot be read, or what it says is wrong: all that is wrong in any of its stacks, with
                file, line and column.
        """
        from .config import load

        return load(cls, path, name)

    @classmethod
    def loads(
        cls,
        text: str,
        format: Literal["yaml", "toml", "json"] = "yaml",  # noqa: A002
        name: str | None = None,
    ) -> Self:
        """A stack from text; relative paths in it begin at the working directory.

        Args:
            text: What would stand in a file.
            format: How it is written.
            name: Which of its stacks. None is the one it calls `default`, or the only one it holds.

        Raises:
            ConfigError: What it says is wrong: all of it, with line and column.
        """
        from .config import loads

        return loads(cls, text, format, name)

    @classmethod
    def load_all(cls, path: str | os.PathLike[str]) -> dict[str, Self]:
        """Every stack of a file and of the files it includes, by name; one that has no name is called `default`.

        Raises:
            ConfigError: The file cannot be read, or what it says is wrong; see `load`.
        """
        from .config import load_all

        return load_all(cls, path)

    @classmethod
    def watch(
        cls,
        path: str | os.PathLike[str],
        name: str | None = None,
        *,
        interval: Duration = 5.0,
        grace: Duration = 300.0,
        on_reload: Callable[[Reload], object] | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        http_client: object | None = None,
        shared: MutableMapping[str, object] | None = None,
    ) -> WatchedExecutor:
        """An executor that follows a file: when the file changes and is valid, calls go to the new stack.

        Calls and streams under way end in the stack they began in. Breakers, limiters, budgets, caches and whatever
        else a plate has learned go on in the new stack where its options did not change. A file that is wrong is
        refused and the old stack goes on: a warning is logged, and `snapshot()` and `last_error` say why. Files that it
        includes, and those that hold its values and keys, are watched too.

        Args:
            path: The file.
            name: Which of its stacks. None is the one it calls `default`, or the only one it holds.
            interval: Seconds between two looks at the files, or text such as "1m". Nothing is looked at in a call.
            grace: Seconds that an old stack has for its last calls and streams before it is closed, or text.
            on_reload: Called with a `Reload` for each change, taken or refused; its errors are logged and change
                nothing.
            clock: As for `build`.
            rng: As for `build`.
            http_client: As for `build`.
            shared: As for `build`. Other stacks rely on what is shared so, and a file that says other terms for it is
                refused. Without it, what the plates of the file share among themselves changes with the file.

        Raises:
            ConfigError: The file is wrong as it is now, a key is missing, or an option is out of its range.
        """
        from .reload.watching import watch

        return watch(
            cls,
            path,
            name,
            interval=interval,
            grace=grace,
            on_reload=on_reload,
            clock=clock,
            rng=rng,
            http_client=http_client,
            shared=shared,
        )

    @classmethod
    def json_schema(cls) -> dict[str, JsonValue]:
        """The JSON Schema (2020-12) of stack documents, for editors: every kind that is registered, with its options.

        It says what a document may look like. What options mean together only `load` knows.
        """
        from .schema import document_schema

        return document_schema()

    def dump(self, format: Literal["yaml", "toml", "json"] = "yaml") -> str:  # noqa: A002
        """The stack as text of a file; `Stack.loads` of it is equal to this stack.

        Raises:
            ConfigError: It holds a literal secret, or something only code can say.
        """
        from .config import dump

        return dump(self, format)
