"""What stands on its own: answers, errors with a status, silence, pages and bytes."""

import threading
import time

import httpx
import pytest
from tests.testing.simulator_client import ask, dial, read_all, request_bytes

from lamellar.chat.content import ToolCall
from lamellar.chat.usage import Usage
from lamellar.errors import ConfigError, ErrorKind
from lamellar.testing.simulator import (
    Answer,
    BadStatusLine,
    ChatWire,
    Empty,
    Gate,
    HtmlPage,
    ProviderSimulator,
    Raw,
    Redirect,
    Silence,
    Status,
    bad_request,
    content_policy,
    context_overflow,
    model_not_found,
    overloaded,
    permission_denied,
    quota_exhausted,
    rate_limited,
    server_error,
    unauthorized,
)


def play(reply, **options):
    with ProviderSimulator([reply]) as simulator:
        return ask(simulator, **options)


def test_the_same_answer_is_a_body_or_a_stream():
    answer = Answer("Paris, of course.")
    whole = play(answer)
    assert whole.headers["content-type"] == "application/json"
    assert whole.json["object"] == "chat.completion"
    assert whole.json["model"] == "gpt-4o-mini"
    choice = whole.json["choices"][0]
    assert choice["message"]["content"] == "Paris, of course."
    assert choice["finish_reason"] == "stop"
    assert whole.json["usage"]["total_tokens"] == 9

    streamed = play(answer, stream=True)
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert streamed.deltas[0] == {"role": "assistant", "content": "", "refusal": None}
    assert [delta.get("content") for delta in streamed.deltas[1:]] == ["Paris,", " of", " course.", None]
    assert streamed.finish == "stop"
    assert streamed.done
    assert {chunk["object"] for chunk in streamed.chunks} == {"chat.completion.chunk"}


def test_usage_in_a_stream_is_told_only_when_asked_for():
    answer = Answer("a b", usage=Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5))
    silent = play(answer, stream=True)
    assert silent.usage is None
    assert all("usage" not in chunk for chunk in silent.chunks)

    told = play(answer, stream=True, usage=True)
    assert told.chunks[-1] == told.chunks[-1] | {
        "choices": [],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }
    assert all(chunk["usage"] is None for chunk in told.chunks[:-1])


def test_usage_where_others_put_it():
    always = play(Answer(stream_usage="always"), stream=True)
    assert always.chunks[-1]["choices"] == []
    assert always.usage
    last = play(Answer(stream_usage="finish"), stream=True)
    assert last.chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert last.chunks[-1]["usage"]
    assert "usage" not in play(Answer(usage=None)).json
    assert play(Answer(usage=None), stream=True, usage=True).usage is None


def test_reasoning_comes_before_the_text():
    answer = Answer("Paris.", reasoning="France it is")
    assert play(answer).json["choices"][0]["message"]["reasoning_content"] == "France it is"
    seen = play(answer, stream=True, usage=True)
    said = [next(iter(delta)) for delta in seen.deltas[1:-1]]
    assert said == ["reasoning_content"] * 3 + ["content"]
    assert seen.usage["completion_tokens_details"]["reasoning_tokens"] == 3
    with ProviderSimulator([answer], dialect=ChatWire(reasoning_field="reasoning")) as simulator:
        assert ask(simulator).json["choices"][0]["message"]["reasoning"] == "France it is"


def test_tool_calls():
    calls = [
        ToolCall(call_id="c1", fn_name="weather", fn_arguments={"city": "Orléans"}),
        ToolCall(call_id="c2", fn_name="time", fn_arguments=None),
    ]
    answer = Answer("", tool_calls=calls)
    message = play(answer).json["choices"][0]
    assert message["finish_reason"] == "tool_calls"
    assert message["message"]["content"] is None
    assert [call["function"]["name"] for call in message["message"]["tool_calls"]] == ["weather", "time"]

    seen = play(answer, stream=True)
    entries = [delta["tool_calls"][0] for delta in seen.deltas if "tool_calls" in delta]
    first = entries[0]
    assert (first["index"], first["id"], first["function"]) == (0, "c1", {"name": "weather", "arguments": ""})
    arguments = "".join(entry["function"]["arguments"] for entry in entries if entry["index"] == 0)
    assert arguments == '{"city": "Orléans"}'
    assert "id" not in entries[1]
    assert seen.finish == "tool_calls"


@pytest.mark.parametrize(
    ("answer", "pieces"),
    [
        (Answer(chunks=["Pa", "ris", ""]), ["Pa", "ris", ""]),
        (Answer("abcdefg", chunk_size=3), ["abc", "def", "g"]),
        (Answer("  a\n b "), ["  a", "\n b", " "]),
    ],
)
def test_the_pieces_of_a_stream(answer, pieces):
    seen = play(answer, stream=True)
    assert [delta["content"] for delta in seen.deltas[1:-1]] == pieces
    assert play(answer).json["choices"][0]["message"]["content"] == "".join(pieces)


def test_stop_reasons_models_and_headers():
    answer = Answer(stop_reason="max_tokens", model="gpt-4o-mini-2024-07-18", headers={"x-served-by": "sim"})
    seen = play(answer)
    assert seen.json["choices"][0]["finish_reason"] == "length"
    assert seen.json["model"] == "gpt-4o-mini-2024-07-18"
    assert seen.headers["x-served-by"] == "sim"
    assert seen.headers["x-request-id"] == "req_sim_1"
    assert play(Answer(stop_reason="content_filter"), stream=True).finish == "content_filter"
    assert play(Answer(stop_reason="network_error"), stream=True).finish == "network_error"


def test_what_is_sent_depends_on_the_script_alone():
    assert play(Answer(), stream=True).raw == play(Answer(), stream=True).raw


def test_delays():
    script = [Answer("a b", delay=0.05), Answer("a b", first_chunk_delay=0.05, chunk_delay=0.03)]
    with ProviderSimulator(script) as simulator:
        for stream, least in ((False, 0.05), (True, 0.08)):
            begun = time.monotonic()
            assert ask(simulator, stream=stream).error is None
            assert time.monotonic() - begun >= least


def test_a_gate_holds_a_reply():
    gate = Gate()
    with ProviderSimulator([Answer(gate=gate), overloaded(gate=gate)]) as simulator:
        seen = []
        thread = threading.Thread(target=lambda: seen.append(ask(simulator)))
        thread.start()
        simulator.wait_for(lambda s: gate.waiting == 1)
        assert simulator.last_request.outcome is None
        assert simulator.last_request.status is None
        gate.open()
        thread.join()
        assert seen[0].status == 200
        assert ask(simulator).status == 503  # it is open now


def test_a_gate_hands_out_chunks_one_by_one():
    gate = Gate()
    with ProviderSimulator([Answer("a b c", chunk_gate=gate)]) as simulator, dial(simulator) as connection:
        connection.sendall(request_bytes(stream=True))
        for count in range(3):
            simulator.wait_for(lambda s: gate.waiting == 1)
            assert simulator.last_request.chunks_sent == count
            gate.step()
        simulator.wait_for(lambda s: s.last_request.outcome == "completed")
    assert repr(gate) == "<Gate closed, 0 waiting>"


def test_a_gate_can_let_pass_in_advance_and_close_again():
    gate = Gate()
    gate.step(2)
    assert gate.enter(print)
    assert gate.enter(print)
    assert not gate.enter(print)
    gate.leave(print)
    gate.open()
    assert gate.is_open
    gate.close()
    assert not gate.enter(print)


def test_a_burst_is_one_write():
    with ProviderSimulator([Answer("a b c", burst=True)]) as simulator, dial(simulator) as connection:
        connection.sendall(request_bytes(stream=True))
        data = connection.recv(65536)
        assert data.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


def test_done_can_be_left_out():
    seen = play(Answer(done=False), stream=True)
    assert seen.finish == "stop"
    assert not seen.done


@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        (rate_limited(), 429, "rate_limit_exceeded"),
        (quota_exhausted(), 429, "insufficient_quota"),
        (overloaded(), 503, "server_is_overloaded"),
        (server_error(), 500, None),
        (context_overflow(), 400, "context_length_exceeded"),
        (content_policy(), 400, "content_policy_violation"),
        (bad_request(), 400, None),
        (unauthorized(), 401, "invalid_api_key"),
        (permission_denied(), 403, None),
        (model_not_found(), 404, "model_not_found"),
        (Status(502), 502, None),
        (Status(529), 529, "server_is_overloaded"),
        (Status(418, code="teapot"), 418, "teapot"),
        (Status(kind=ErrorKind.TIMEOUT), 504, None),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_errors_with_a_status(reply, status, code, stream):
    seen = play(reply, stream=stream)
    assert seen.status == status
    assert set(seen.json["error"]) == {"message", "type", "param", "code"}
    assert seen.json["error"]["code"] == code


def test_the_hints_of_an_error():
    seen = play(rate_limited(retry_after=2, retry_after_ms=1500, headers={"x-should-retry": "true"}, message="slow"))
    assert seen.headers["retry-after"] == "2"
    assert seen.headers["retry-after-ms"] == "1500"
    assert seen.headers["x-should-retry"] == "true"
    assert seen.json["error"]["message"] == "slow"
    assert play(overloaded(retry_after="Wed, 21 Oct 2026 07:28:00 GMT")).headers["retry-after"].startswith("Wed")
    assert play(rate_limited(0.5)).headers["retry-after"] == "0.5"
    assert "gpt-4o-mini" in play(model_not_found()).json["error"]["message"]


def test_an_error_with_a_body_of_its_own():
    seen = play(Status(502, body="<h1>Bad gateway</h1>", headers={"content-type": "text/html"}))
    assert seen.raw == b"<h1>Bad gateway</h1>"
    assert seen.headers["content-type"] == "text/html"


def test_silence_ends_when_the_client_leaves_or_in_its_own_time():
    with ProviderSimulator([Silence(), Silence(0.02)]) as simulator:
        assert isinstance(ask(simulator, timeout=0.05).error, httpx.ReadTimeout)
        simulator.wait_for(lambda s: s.requests[0].outcome == "client_left", timeout=1)
        assert isinstance(ask(simulator).error, httpx.RemoteProtocolError)
        assert simulator.last_request.outcome == "cut"


def test_empty_answers():
    whole = play(Empty())
    assert whole.json["choices"][0]["message"]["content"] == ""
    assert whole.json["usage"]["completion_tokens"] == 0
    assert "usage" not in play(Empty(usage=False)).json
    streamed = play(Empty(), stream=True, usage=True)
    assert streamed.text == ""
    assert streamed.finish == "stop"
    assert streamed.usage
    assert play(Empty(usage=False), stream=True, usage=True).usage is None


def test_pages_redirects_and_bytes():
    page = play(HtmlPage())
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    redirect = play(Redirect("/elsewhere"))
    assert (redirect.status, redirect.headers["location"]) == (307, "/elsewhere")
    raw = play(Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"))
    assert raw.raw == b"hi"
    assert isinstance(play(BadStatusLine()).error, httpx.RemoteProtocolError)


def test_raw_bytes_may_be_held_open():
    gate = Gate()
    with ProviderSimulator([Raw(b"HTTP/1.1 200 OK\r\n", "hold", gate)]) as simulator, dial(simulator) as connection:
        connection.sendall(request_bytes())
        simulator.wait_for(lambda s: gate.waiting == 1)
        gate.open()
        assert connection.recv(100) == b"HTTP/1.1 200 OK\r\n"
        assert simulator.open_connections == 1
    assert read_all(connection)[1] is not None  # closed by us, above


def test_wrong_options_are_told():
    with pytest.raises(ConfigError, match="Answer: delay: expected zero or more, got -1"):
        Answer(delay=-1)
    with pytest.raises(ConfigError, match="chunk_size: expected one or more"):
        Answer(chunk_size=0)
    with pytest.raises(ConfigError, match="give a status such as 503"):
        Status()


def test_replies_describe_themselves():
    assert str(Answer("hi", delay=1.0)) == "Answer(text='hi', delay=1.0)"
    assert str(overloaded()) == "Status(kind=overloaded)"
    assert str(Silence()) == "Silence()"
