"""What OpenAI's Responses refuse about a request, in its server's words."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import JsonValue

from lamellar.errors import ErrorKind

from .wire import Problem
from .wire_chat_errors import error_of as chat_error_of
from .wire_chat_errors import wrong_request

if TYPE_CHECKING:
    from .log import RequestLog

__all__ = ["error_of", "problem_of"]

_INSTEAD = ("previous_response_id", "prompt", "conversation")
"""What may stand in for an input."""

_UNKNOWN = ("messages", "max_tokens", "max_completion_tokens", "response_format", "reasoning_effort", "stop", "seed")
"""Chat Completions' fields, which are none here."""

_ROLES = ("user", "assistant", "system", "developer")


def problem_of(body: JsonValue) -> Problem | None:
    """What is wrong with a request's body, as lightly as the provider would notice, or None."""
    if not isinstance(body, dict):
        return wrong_request("We could not parse the JSON body of your request. The API expects a JSON payload.")
    if not isinstance(body.get("model"), str) or not body["model"]:
        return wrong_request("Missing required parameter: 'model'.", "model", "missing_required_parameter")
    for name in _UNKNOWN:
        if name in body:
            return wrong_request(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
    said = body.get("input")
    if said is None and all(body.get(name) is None for name in _INSTEAD):
        message = "One of \"input\" or \"previous_response_id\" or 'prompt' or 'conversation_id' must be provided."
        return wrong_request(message, "input", "missing_required_parameter")
    if said is not None and not isinstance(said, str | list):
        return wrong_request("Invalid type for 'input': expected a string or an array.", "input", "invalid_type")
    if not isinstance(body.get("stream"), bool | None):
        return wrong_request("Invalid type for 'stream': expected a boolean.", "stream", "invalid_type")
    wrong = _wrong_tool(body.get("tools"))
    if wrong is None and isinstance(said, list):
        wrong = _wrong_item(said, alone=body.get("previous_response_id") is None and body.get("conversation") is None)
    return wrong


def _wrong_tool(tools: JsonValue) -> Problem | None:
    for at, tool in enumerate(tools if isinstance(tools, list) else ()):
        if not isinstance(tool, dict) or "type" not in tool:
            where = f"tools[{at}].type"
            return wrong_request(f"Missing required parameter: '{where}'.", where, "missing_required_parameter")
        if tool["type"] == "function" and "name" not in tool:
            where = f"tools[{at}].name"
            return wrong_request(f"Missing required parameter: '{where}'.", where, "missing_required_parameter")
    return None


def _wrong_item(items: list[JsonValue], *, alone: bool) -> Problem | None:
    """What is wrong with an item, or with what follows it.

    Args:
        items: The input.
        alone: Whether there is nothing before it that the provider keeps.
    """
    if not items and alone:
        return wrong_request("Invalid 'input': empty array.", "input", "empty_array")
    calls: set[JsonValue] = set()
    for at, item in enumerate(items):
        if not isinstance(item, dict):
            return wrong_request(f"Invalid type for 'input[{at}]': expected an object.", f"input[{at}]", "invalid_type")
        kind = item.get("type", "message")
        if kind == "message" and item.get("role") not in _ROLES:
            return wrong_request(f"Invalid value for 'input[{at}].role'.", f"input[{at}].role", "invalid_value")
        if kind == "function_call":
            calls.add(str(item.get("call_id")))
        if kind == "function_call_output" and alone and str(item.get("call_id")) not in calls:
            message = f"No tool call found for function call output with call_id {item.get('call_id')}."
            return wrong_request(message, "input")
        if kind == "reasoning" and at == len(items) - 1:
            message = f"Item '{item.get('id')}' of type 'reasoning' was provided without its required following item."
            return wrong_request(message, "input")
    return None


def error_of(problem: Problem, request: RequestLog) -> tuple[int, dict[str, JsonValue]]:
    """The status of an error, and its object: as in Chat Completions, but an unknown model is a 400 here."""
    if problem.kind is ErrorKind.MODEL_NOT_FOUND:
        message = f"The requested model '{request.model}' does not exist."
        problem = replace(
            problem,
            status=problem.status or 400,
            message=message if problem.message is None else problem.message,
            param=problem.param or "model",
        )
    return chat_error_of(problem, request)
