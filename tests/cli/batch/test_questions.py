"""What a line of IN may say, and how a wrong one is told."""

import io
import json

import pytest

from lamellar.chat.content import Binary, Text, ToolCall, ToolResponse
from lamellar.chat.options import ChatOptions
from lamellar.chat.request import ChatMessage, ChatRequest
from lamellar.chat.tools import Tool, ToolChoice
from lamellar.cli.batch.lines import Fingerprint, Line, lines_of
from lamellar.cli.batch.questions import identifier_of, read_question
from lamellar.errors import ConfigError


def read(said, model="m", system=None):
    return read_question(said if isinstance(said, bytes) else json.dumps(said).encode(), model=model, system=system)


class TestOurOwn:
    def test_a_prompt(self):
        assert read({"prompt": "Why?"}) == (None, "m", ChatRequest.from_user("Why?"), None)

    def test_everything_beside_it(self):
        found = read({"id": 7, "prompt": "Why?", "model": "n", "system": "Be brief.", "options": {"seed": 1}})
        assert found == (7, "n", ChatRequest.from_user("Why?").with_system("Be brief."), ChatOptions(seed=1))

    def test_a_request(self):
        request = ChatRequest.from_messages([ChatMessage.user("a"), ChatMessage.assistant("b"), ChatMessage.user("c")])
        request = request.with_tools(Tool(name="search", schema={"type": "object"}))
        said = request.model_dump(mode="json", exclude_none=True)
        assert read({"id": "x", **said}).request == request

    def test_the_shared_system_prompt_stands_behind_the_lines_own(self):
        assert read({"prompt": "a"}, system="shared").request.system == "shared"
        assert read({"prompt": "a", "system": "own"}, system="shared").request.system == "own"
        said = {"messages": [{"role": "system", "content": "own"}, {"role": "user", "content": "a"}]}
        assert read(said, system="shared").request.system is None

    @pytest.mark.parametrize(
        ("said", "told"),
        [
            (b"{bad", "not JSON: "),
            (b"\xff", "not UTF-8 text (byte 0)"),
            (b"[1]", "expected an object such as"),
            (b"[" * 100_000, "not JSON: "),
            ({"promt": "a"}, "promt: unknown option; did you mean 'prompt'?"),
            ({}, "a line has exactly one of `prompt` and `messages`"),
            ({"prompt": "a", "messages": [{"role": "user", "content": "b"}]}, "exactly one of"),
            ({"prompt": ""}, "prompt: expected"),
            ({"prompt": 3}, "prompt: expected"),
            ({"prompt": "a", "options": {"temprature": 1}}, "options.temprature: unknown option; did you mean"),
            ({"messages": [{"role": "robot", "content": "b"}]}, "messages.0.role: expected"),
            ({"prompt": "\ud800"}, "prompt: expected"),
        ],
    )
    def test_what_is_wrong_is_told(self, said, told):
        with pytest.raises(ConfigError) as caught:
            read(said)
        assert told in str(caught.value)

    def test_a_line_without_a_model_needs_one_for_all(self):
        with pytest.raises(ConfigError, match="names no model; name one with -m"):
            read({"prompt": "a"}, model=None)
        assert read({"prompt": "a", "model": "own"}, model=None).model == "own"


class TestOpenAI:
    def body(self, **more):
        return {
            "custom_id": "request-1",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Why?"}], **more},
        }

    def test_the_line_of_its_documentation(self):
        messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello!"}]
        found = read(self.body(messages=messages, max_tokens=1000), model="other")
        request = ChatRequest.from_messages([ChatMessage.system("Be brief."), ChatMessage.user("Hello!")])
        assert found == ("request-1", "gpt-4o-mini", request, ChatOptions(max_tokens=1000))

    def test_options_by_our_names(self):
        schema = {"type": "object"}
        said = self.body(
            max_completion_tokens=5,
            stop="END",
            reasoning_effort="none",
            tool_choice={"type": "function", "function": {"name": "search"}},
            response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": schema, "strict": True}},
            n=1,
            stream=False,
            temperature=None,
            store=True,
        )
        options = read(said).options
        assert (options.max_tokens, options.stop_sequences, options.reasoning_effort) == (5, ("END",), "zero")
        assert options.tool_choice == ToolChoice.tool("search")
        assert (options.answer_format.name, options.answer_format.schema) == ("a", schema)
        assert options.temperature is None
        assert read(said).request.store is True

    def test_tools_and_images(self):
        call = {"id": "c1", "type": "function", "function": {"name": "search", "arguments": '{"q": "sky"}'}}
        image = [
            {"type": "text", "text": "What?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        ]
        said = self.body(
            messages=[
                {"role": "user", "content": image},
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "blue"}]},
            ],
            tools=[{"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}],
        )
        request = read(said).request
        assert [message.content for message in request.messages] == [
            (Text("What?"), Binary.from_base64("image/png", "AAAA")),
            (ToolCall(call_id="c1", fn_name="search", fn_arguments={"q": "sky"}),),
            (ToolResponse(call_id="c1", content="blue"),),
        ]
        assert request.tools == (Tool(name="search", schema={"type": "object"}),)

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ({"url": "/v1/embeddings"}, "is a POST to /v1/chat/completions"),
            ({"prompt": "a"}, "`custom_id`, `method` and `url` beside it, not `prompt`"),
            ({"body": {"messages": [], "logit_bias": {}}}, "body.logit_bias: has no equal here"),
            ({"body": {"messages": [], "n": 2}}, "body.n: has no equal here"),
            ({"body": {"messages": "Why?"}}, "messages: expected a list, got str"),
            ({"body": []}, "body: expected an object"),
            ({"body": {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}}, "has no equal here"),
            ({"body": {"messages": [], "tools": [{"type": "mcp"}]}}, "has no equal here"),
        ],
    )
    def test_what_has_no_equal_is_refused_by_name(self, change, told):
        with pytest.raises(ConfigError) as caught:
            read({**self.body(), **change})
        assert told in str(caught.value)


class TestLines:
    def test_blank_lines_count_and_are_left_out(self):
        file = io.BytesIO(b'{"a": 1}\r\n\n  \n b \nlast')
        assert list(lines_of(file)) == [(1, b'{"a": 1}', 0), (4, b"b", 14), (5, b"last", 18)]

    def test_a_line_that_is_too_long_is_passed_over_without_being_kept(self):
        file = io.BytesIO(b"a" * 25 + b"\nb\n" + b"c" * 10)
        assert list(lines_of(file, longest=10)) == [(1, None, 0), (2, b"b", 26), (3, b"c" * 10, 28)]

    def test_from_the_middle(self):
        file = io.BytesIO(b"a\nb\nc\n")
        file.seek(2)
        assert list(lines_of(file, number=2)) == [(2, b"b", 2), (3, b"c", 4)]

    def test_a_fingerprint_is_of_the_line_and_the_system_prompt(self):
        a, b = Line(1, b"a", 0), Line(1, b"b", 0)
        prints = [
            Fingerprint(system, model).of(line)
            for system, model in ((None, None), ("s", None), ("", None), (None, "s"), ("s", "s"))
            for line in (a, b)
        ]
        assert len(set(prints)) == 10
        assert Fingerprint("s").of(Line(9, b"a", 50)) == prints[2]

    @pytest.mark.parametrize(
        ("line", "named"),
        [(b'{"id": "a"}', "a"), (b'{"custom_id": "b"}', "b"), (b'{"id": true}', None), (b"x", None), (None, None)],
    )
    def test_a_broken_line_keeps_its_name_where_it_can_be_read(self, line, named):
        assert identifier_of(line) == named
