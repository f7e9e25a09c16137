"""`ProviderSimulator`: a provider on loopback that plays a script of answers and faults, and logs what it saw."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, InvalidStateError
from dataclasses import replace
from types import TracebackType
from typing import Self

from lamellar.errors import ConfigError

from .desk import Desk, Programme
from .engine import HOST, Engine
from .log import Log, RequestLog
from .replies import PLAIN, Reply
from .script import Rules, Script, ScriptLike
from .wire import WireFormat, wire_format

__all__ = ["ProviderSimulator"]


class ProviderSimulator:
    """A provider on loopback: a real HTTP/1.1 server that plays a script of answers and faults.

    It runs in a thread with an event loop of its own, so it serves synchronous and asynchronous code alike, whatever
    the client's clock or loop does:

        with ProviderSimulator([rate_limited(retry_after=2), Answer("Paris.")]) as simulator:
            client = OpenAI(base_url=simulator.base_url, api_key="any")
            ...
            assert simulator.request_count == 2

    Replies are taken in the order in which requests arrive; when they are used up, `default` answers. Only requests
    that a provider would accept take one: an unknown path, a wrong method, a wrong key or a body that is no chat
    request is answered as the provider would, and logged like any other.

    Args:
        script: Replies in order; or one reply for every request; or a function from `RequestLog` to a reply, called
            in the simulator's thread.
        default: The reply when the script is used up. Default: an ordinary answer.
        rules: Scripts of their own for some of the requests: by a path's prefix (with a slash in front) or a model's
            name. A path wins over a model, and both over `script`.
        dialect: The wire format: ``"chat"`` (OpenAI Chat Completions, the default), ``"anthropic"``, ``"gemini"``,
            ``"responses"`` (OpenAI's), ``"ollama"``, ``"cohere"``, ``"converse"`` (Amazon Bedrock), ``"azure"``,
            ``"vertex"`` (Gemini and Claude), or a `WireFormat`.
        models: The models that `GET /models` lists, in the dialect's form. Default: those named in `rules`, and
            ``gpt-4o-mini``. A rule for the path says something else.
        require_key: Demands this key; another, or none, is a 401. Default None: any key or none will do.
        ssl_context: Serves TLS with this context. Default None: plain HTTP.
        port: The port; 0, the default, takes a free one. A simulator that is started again keeps its port.
        now: The simulator's clock, in seconds, for `Schedule` and for the log's times; delays are always real.
            Default: the monotonic clock.
        log_limit: How many requests the log keeps; the oldest go first. Default 10 000.
    """

    def __init__(
        self,
        script: ScriptLike = (),
        *,
        default: Reply | None = None,
        rules: Mapping[str, ScriptLike] | None = None,
        dialect: str | WireFormat = "chat",
        models: Iterable[str] | None = None,
        require_key: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        port: int = 0,
        now: Callable[[], float] = time.monotonic,
        log_limit: int = 10_000,
    ) -> None:
        if log_limit < 1:
            raise ConfigError(f"ProviderSimulator: log_limit: expected one or more, got {log_limit}")
        self._wire = wire_format(dialect)
        self._ssl_context = ssl_context
        self._port = port
        self._engine: Engine | None = None
        self._log = Log(now, log_limit)
        programme = Programme(Script(script), default or PLAIN, Rules(rules or {}), now())
        self._desk = Desk(self._log, self._wire, require_key, models, programme)

    # Life

    def start(self) -> Self:
        """Listen. A simulator that was stopped may be started again; it keeps its port, its script and its log."""
        if self._engine is not None:
            raise RuntimeError("the simulator is already running")
        self._desk.programme = replace(self._desk.programme, started=self._log.now())
        self._engine = Engine(self._desk, self._port, self._ssl_context)
        self._port = self._engine.port
        return self

    def stop(self) -> None:
        """Drop every connection and end the thread. Idempotent."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.stop()

    @property
    def is_running(self) -> bool:
        """Whether it listens."""
        return self._engine is not None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        if error is None and self._log.error is not None:
            raise RuntimeError("the simulator's script failed") from self._log.error

    async def __aenter__(self) -> Self:
        # Not handed to a thread: it takes about a millisecond, and the caller's loop may be one of virtual time.
        return self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    # Where it is

    @property
    def port(self) -> int:
        """The port it listens on, or listened on last."""
        if not self._port:
            raise RuntimeError("the simulator has no port before it is started; use `with ProviderSimulator(...)`")
        return self._port

    @property
    def url(self) -> str:
        """Scheme, host and port, without a path."""
        return f"{'https' if self._ssl_context is not None else 'http'}://{HOST}:{self.port}"

    @property
    def base_url(self) -> str:
        """What a client takes as its base URL, such as ``http://127.0.0.1:8000/v1``."""
        return self.url + self._wire.base_path

    # What it plays

    def push(self, *replies: Reply) -> None:
        """Add replies to the end of the script. Callable from any thread."""
        self._desk.programme.script.push(*replies)

    def reset(
        self, script: ScriptLike = (), *, default: Reply | None = None, rules: Mapping[str, ScriptLike] | None = None
    ) -> None:
        """Begin anew: another script, an empty log, and time from zero. Callable from any thread.

        Replies that are being played go on.

        Args:
            script: As for the constructor.
            default: As for the constructor. Default: stays as it is.
            rules: As for the constructor. Default: they stay as they are, with what is left of their scripts.
        """
        old = self._desk.programme
        kept = old.rules if rules is None else Rules(rules)
        self._desk.programme = Programme(Script(script), default or old.default, kept, self._log.now())
        self._log.clear()

    @property
    def remaining(self) -> int:
        """How many replies of the script have not been played yet."""
        return self._desk.programme.script.remaining

    # What it saw

    @property
    def requests(self) -> tuple[RequestLog, ...]:
        """The requests so far, oldest first, each as it stands at this moment."""
        return self._log.requests()

    @property
    def last_request(self) -> RequestLog:
        """The latest request.

        Raises:
            LookupError: There has been none.
        """
        with self._log.condition:
            if not self._log.records:
                raise LookupError("the simulator has seen no request yet")
            return self._log.records[-1].freeze()

    @property
    def request_count(self) -> int:
        """How many requests have arrived, refused ones included."""
        return self._log.request_count

    @property
    def connection_count(self) -> int:
        """How many connections have been made."""
        return self._log.connection_count

    @property
    def open_connections(self) -> int:
        """How many connections are open at this moment."""
        return self._log.open_connections

    @property
    def script_error(self) -> Exception | None:
        """What the script, or a reply of one's own, raised first. Leaving a `with` block in order raises it too."""
        return self._log.error

    def wait_for(self, predicate: Callable[[Self], bool], timeout: float = 5.0) -> None:
        """Block until `predicate` is true; it is asked again whenever the simulator did or saw something.

        In asynchronous code use `wait_for_async`: this one blocks the loop, and a client that runs on it with it.

        Args:
            predicate: Called with this simulator, such as ``lambda s: s.requests[0].outcome == "client_left"``. A
                request that is not there yet (a `LookupError`) means "not yet".
            timeout: Seconds to wait at most. Default 5.

        Raises:
            TimeoutError: It was not true in time; the message shows the log.
        """
        with self._log.condition:
            if not self._log.condition.wait_for(lambda: self._holds(predicate), timeout):
                raise TimeoutError(self._not_seen(timeout))

    async def wait_for_async(self, predicate: Callable[[Self], bool], timeout: float = 5.0) -> None:
        """The same without blocking the loop. The limit is real time, whatever clock the loop has.

        Args:
            predicate: As for `wait_for`.
            timeout: Seconds to wait at most. Default 5.

        Raises:
            TimeoutError: It was not true in time; the message shows the log.
        """
        expiry: Future[None] = Future()
        cancel = self._engine.call_later(timeout, lambda: _resolve(expiry)) if self._engine is not None else None
        try:
            while True:
                with self._log.condition:
                    if self._holds(predicate):
                        return
                    if expiry.done() or cancel is None:
                        raise TimeoutError(self._not_seen(timeout))
                    waiter: Future[None] = Future()
                    self._log.waiters.append(waiter)
                expiry.add_done_callback(lambda _, waiter=waiter: _resolve(waiter))  # type: ignore[misc]
                await asyncio.wrap_future(waiter)
        finally:
            if cancel is not None:
                cancel()

    def _holds(self, predicate: Callable[[Self], bool]) -> bool:
        try:
            return predicate(self)
        except LookupError:
            return False

    def _not_seen(self, timeout: float) -> str:
        seen = "".join(f"\n  {request!r}" for request in self.requests[-20:])
        connections = f"{self.open_connections} of {self.connection_count} connections open"
        return f"the simulator did not see it within {timeout:g} s; {connections}; requests:{seen or ' none'}"

    def __repr__(self) -> str:
        where = self.url if self._engine is not None else "not running"
        return f"<ProviderSimulator {where}, {self.request_count} requests, {self.open_connections} open connections>"


def _resolve(future: Future[None]) -> None:
    try:
        future.set_result(None)
    except InvalidStateError:
        return
