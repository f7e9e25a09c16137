"""The error tree: verdicts, forms, and that every error survives a journey."""

from __future__ import annotations

import copy
import pickle

import pytest

from lamellar import errors
from lamellar.call import AttemptRecord, Outcome
from lamellar.chat.content import Text, ToolCall
from lamellar.chat.usage import Usage
from lamellar.errors import (
    VERDICTS,
    ConfigError,
    ErrorKind,
    ExecutorError,
    LamellarError,
    RejectedError,
    StreamClosedError,
    StreamInterruptedError,
    StreamTruncatedError,
)

USAGE = Usage(prompt_tokens=7, completion_tokens=3)
ATTEMPTS = (
    AttemptRecord(1, "main", "openai", "gpt", Outcome.FAILED, ErrorKind.OVERLOADED, 503, latency=1.5, usage=USAGE),
    AttemptRecord(2, "other", "anthropic", "claude", Outcome.REFUSED, ErrorKind.CIRCUIT_OPEN),
)


def provider_error() -> ExecutorError:
    return ExecutorError(
        "rate_limited",
        "slow down",
        provider="openai",
        model="gpt",
        status=429,
        code="rate_limit_exceeded",
        retry_after=1.5,
        request_id="req_1",
        retryable=False,
        failover=False,
        counts_against_health=True,
    )


def interruption() -> StreamInterruptedError:
    open_call = ToolCall(call_id="c", fn_name="f", fn_arguments='{"a')
    return StreamInterruptedError(
        provider_error(), partial=(Text("so "), Text("far")), usage=USAGE, open_tool_call=open_call
    )


EXAMPLES = {
    "LamellarError": lambda: LamellarError("a", 1),
    "ConfigError": lambda: ConfigError("a\nb", problems=["a", "b"]),
    "ExecutorError": provider_error,
    "StreamInterruptedError": interruption,
    "StreamTruncatedError": lambda: StreamTruncatedError(partial=(Text("cut"),), usage=USAGE),
    "RejectedError": lambda: RejectedError("circuit_open", "wait", retry_after=2.5, target="main"),
    "StreamClosedError": StreamClosedError,
}
JOURNEYS = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{
        f"pickle{p}": lambda error, p=p: pickle.loads(pickle.dumps(error, p))
        for p in range(pickle.HIGHEST_PROTOCOL + 1)
    },
}


def facts(error: BaseException | None) -> object:
    if error is None:
        return None
    fields = {name: value for name, value in vars(error).items() if name != "cause"}
    return type(error), error.args, str(error), fields, facts(error.__cause__), facts(getattr(error, "cause", None))


def test_every_class_of_the_tree_is_tried() -> None:
    assert set(EXAMPLES) == {
        name
        for name in errors.__all__
        if isinstance(found := getattr(errors, name), type) and issubclass(found, BaseException)
    }


@pytest.mark.parametrize("journey", JOURNEYS.values(), ids=JOURNEYS)
@pytest.mark.parametrize("make", EXAMPLES.values(), ids=EXAMPLES)
def test_an_error_arrives_whole(make, journey) -> None:
    error = make()
    error.attempts = ATTEMPTS
    error.add_note("seen in a test")
    arrived = journey(error)
    assert arrived is not error
    assert facts(arrived) == facts(error)
    assert arrived.attempts == ATTEMPTS


def test_a_deep_copy_has_its_own_cause() -> None:
    error = interruption()
    twin = copy.deepcopy(error)
    assert twin.cause is not error.cause
    assert twin.__cause__ is twin.cause


def test_subclasses_with_another_constructor_travel_too() -> None:
    assert pickle.loads(pickle.dumps(PickyError(reason="x"))).reason == "x"


class PickyError(LamellarError):
    def __init__(self, *, reason: str) -> None:
        super().__init__(f"because {reason}")
        self.reason = reason


# One row of the architecture's table each: retryable, failover, counts against health.
TABLE = {
    "rate_limited": (True, True, False),
    "quota_exhausted": (False, True, True),
    "overloaded": (True, True, True),
    "server_error": (True, True, True),
    "connection": (True, True, True),
    "timeout": (False, True, True),
    "truncated": (True, True, True),
    "malformed": (True, True, True),
    "empty": (False, False, False),
    "context_overflow": (False, True, False),
    "content_filtered": (False, False, False),
    "invalid_request": (False, False, False),
    "unauthorized": (False, True, False),
    "permission_denied": (False, True, False),
    "model_not_found": (False, True, False),
    "circuit_open": (False, True, False),
    "limiter_deadline": (False, True, False),
    "queue_full": (False, True, False),
    "pool_exhausted": (False, True, False),
    "answer_rejected": (False, True, False),
    "budget": (False, False, False),
    "deadline": (False, False, False),
    "guardrail": (False, False, False),
    "cache_miss": (False, False, False),
    "closed": (False, False, False),
}


def verdict(error: ExecutorError | RejectedError) -> tuple[bool, bool, bool]:
    return error.retryable, error.failover, error.counts_against_health


def test_the_table_has_every_kind() -> None:
    assert set(TABLE) == {str(kind) for kind in ErrorKind} == {str(kind) for kind in VERDICTS}


@pytest.mark.parametrize(("kind", "expected"), TABLE.items())
def test_the_verdicts_of_a_kind(kind: str, expected: tuple[bool, bool, bool]) -> None:
    assert verdict(ExecutorError(kind, "m")) == expected
    assert verdict(RejectedError(kind, "m")) == expected


@pytest.mark.parametrize("status", [409, 425])
def test_conflicts_and_early_data_say_nothing_of_health(status: int) -> None:
    assert verdict(ExecutorError("server_error", "m", status=status)) == (True, True, False)


def test_a_leaf_that_knows_better_overrides_the_table() -> None:
    error = ExecutorError("server_error", "m", retryable=False, failover=False, counts_against_health=False)
    assert verdict(error) == (False, False, False)
    assert ExecutorError("server_error", "m", status=409, counts_against_health=True).counts_against_health


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        ExecutorError("nonsense", "m")


def test_an_interruption_keeps_its_causes_kind_but_runs_nothing_again() -> None:
    error = interruption()
    assert (error.kind, error.status, error.provider, error.request_id) == ("rate_limited", 429, "openai", "req_1")
    assert verdict(error) == (False, False, True)
    assert error.text == "so far"


def test_an_interruption_by_a_refusal_blames_nobody() -> None:
    error = StreamInterruptedError(RejectedError("deadline", "time is over"), partial=(Text("a"),))
    assert error.kind == "deadline"
    assert verdict(error) == (False, False, False)


def test_a_truncation_is_retried_only_while_nothing_was_delivered() -> None:
    assert verdict(StreamTruncatedError()) == TABLE["truncated"]
    assert verdict(StreamTruncatedError(partial=(Text("a"),)))[:2] == (False, False)
    assert verdict(StreamTruncatedError(open_tool_call=ToolCall(call_id="", fn_name="f")))[:2] == (False, False)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (provider_error(), "rate_limited from openai/gpt (429, rate_limit_exceeded): slow down"),
        (ExecutorError("connection", "reset"), "connection: reset"),
        (ExecutorError("timeout", "slow", provider="openai", code="idle"), "timeout from openai (idle): slow"),
        (RejectedError("queue_full", "100 wait", target="main"), "queue_full at main: 100 wait"),
        (RejectedError("budget", "spent"), "budget: spent"),
        (StreamTruncatedError(), "truncated: the stream ended without a finish signal"),
        (
            interruption(),
            (
                "rate_limited from openai/gpt (429, rate_limit_exceeded): "
                "the stream broke after part of the answer was delivered: slow down"
            ),
        ),
        (StreamClosedError(), "the stream was closed while a read was waiting"),
    ],
)
def test_an_error_in_one_line(error: LamellarError, said: str) -> None:
    assert str(error) == said


def test_a_wrong_option_is_a_value_error_with_its_problems() -> None:
    error = ConfigError("one problem")
    assert isinstance(error, ValueError)
    assert error.problems == ("one problem",)
    assert ConfigError("a\nb", problems=["a", "b"]).problems == ("a", "b")


def test_what_was_delivered_is_in_no_message() -> None:
    error = StreamInterruptedError(provider_error(), partial=(Text("private words"),))
    assert "private words" not in str(error) + repr(error)
