"""The desk at which requests arrive: it refuses what no provider would take, and finds the reply to the rest."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydantic import JsonValue

from lamellar.errors import ErrorKind

from .connection import Connection
from .http import RawRequest
from .log import Log, Record
from .replies import Reply, Status
from .script import Rules, Script
from .steps import Scene, Step, whole
from .wire import Problem, WireFormat

__all__ = ["Desk", "Programme"]


@dataclass(frozen=True, slots=True)
class Programme:
    """What is played; replaced as a whole, so that a request never sees half of another one.

    Args:
        script: Replies in order.
        default: The reply after them.
        rules: Scripts for some of the requests.
        started: Since when it is played, by the simulator's clock.
    """

    script: Script
    default: Reply
    rules: Rules
    started: float


class Desk:
    """Finds the reply to each request. Connections know the simulator as this.

    Args:
        log: Where requests are recorded.
        wire: The wire format.
        key: The key to demand, or None.
        models: The models to list, or None for those that have a rule.
        programme: What is played.
    """

    def __init__(
        self, log: Log, wire: WireFormat, key: str | None, models: Iterable[str] | None, programme: Programme
    ) -> None:
        self.programme = programme
        self.log = log
        self.connections: set[Connection] = set()
        self._wire = wire
        self._key = key
        self._models = None if models is None else tuple(models)

    def answer(self, request: RawRequest, connection: int) -> tuple[Record, Iterator[Step]]:
        """The record of a request and the steps that answer it."""
        path = request.path.partition("?")[0]
        body = _parse(request.body)
        record = self.log.arrived(
            connection,
            request.method,
            request.path,
            request.headers,
            request.body,
            json=body,
            model=self._wire.model_of(path, body),
            stream=self._wire.wants_stream(path, body),
        )
        programme = self.programme
        scene = Scene(record.arrived, self._wire, self.log.now() - programme.started)
        refusal = self._refuse(request, path, body)
        if refusal is None and self._wire.route(path) == "models" and programme.rules.find(scene.request) is None:
            record.reply = "models"
            models = self._models or tuple(dict.fromkeys((*programme.rules.models, "gpt-4o-mini")))
            return record, whole(200, self._wire.render_models(models))
        # Outside the log's lock: a script may be a function of the user's own.
        reply = refusal or self._choose(programme, scene)
        record.reply = str(reply)
        return record, reply.steps(scene)

    def _refuse(self, request: RawRequest, path: str, body: JsonValue) -> Status | None:
        """What is wrong with the request as such, or None."""
        route = self._wire.route(path)
        if route is None:
            message = f"Invalid URL ({request.method} {path})"
            return Status(404, kind=ErrorKind.INVALID_REQUEST, message=message)
        allowed = ("GET", "HEAD") if route == "models" else ("POST",)
        if request.method not in allowed:
            message = f"Not allowed to {request.method} on {path}"
            headers = {"allow": ", ".join(allowed)}
            return Status(405, kind=ErrorKind.INVALID_REQUEST, message=message, headers=headers)
        if self._key is not None and not self._wire.authorized(request.headers, self._key):
            return Status(kind=ErrorKind.UNAUTHORIZED)
        problem = self._wire.check(path, body) if route == "chat" else None
        return None if problem is None else _status(problem)

    def _choose(self, programme: Programme, scene: Scene) -> Reply:
        try:
            script = programme.rules.find(scene.request) or programme.script
            return (script.next(scene.request) or programme.default).choose(scene)
        except Exception as error:  # the script is the test's own code: tell it, do not die of it
            self.log.error = self.log.error or error
            message = f"the simulator's script raised {type(error).__name__}: {error}"
            return Status(500, type="simulator_error", message=message)


def _parse(body: bytes) -> JsonValue:
    try:
        found: JsonValue = json.loads(body)
    except ValueError:
        return None
    return found


def _status(problem: Problem) -> Status:
    return Status(
        problem.status,
        kind=problem.kind,
        type=problem.type,
        code=problem.code,
        message=problem.message,
        param=problem.param,
    )
