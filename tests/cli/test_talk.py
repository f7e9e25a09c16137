"""A conversation, line by line: what is asked, what is shown where, and what is kept."""

import json

import pytest

from lamellar import ChatRequest, ErrorKind, ExecutorError, Stack, SyncExecutor
from lamellar.chat.content import Binary, ReasoningContent, Text, ThoughtSignature, ToolCall, ToolResponse
from lamellar.chat.events import Chunk, End, ReasoningChunk, Restart, ThoughtSignatureChunk, ToolCallChunk
from lamellar.cli.showing import Display
from lamellar.cli.talk import Conversation, Talk
from lamellar.middleware import Cache
from lamellar.testing import ScriptedExecutor, answer

DOWN = ExecutorError(ErrorKind.OVERLOADED, "too much to do", provider="scripted", model="m", status=503)


class Typed:
    """Lines that were typed: a text, or what a key raised with what stood on the line then."""

    def __init__(self, *lines):
        self.rest = list(lines)
        self.prompts = []
        self.line = ""

    def read(self, prompt):
        self.prompts.append(prompt)
        line = self.rest.pop(0) if self.rest else EOFError
        self.line = ""
        if isinstance(line, tuple):
            self.line, line = line
        if isinstance(line, str):
            return line
        raise line

    def typed(self):
        return self.line


class Stopping(Display):
    """A display before which somebody presses Ctrl-C when the answer says `!`."""

    def event(self, event):
        super().event(event)
        if isinstance(event, Chunk) and event.content.endswith("!"):
            raise KeyboardInterrupt


class AtOnce(Display):
    """A display before which somebody presses Ctrl-C at the first event."""

    def event(self, event):
        super().event(event)
        raise KeyboardInterrupt


class Talked:
    def __init__(self, capsys, leaf, *lines, layers=(), display=Display, **options):
        self.leaf = leaf
        self.conversation = Conversation("m", system=options.pop("system", None), attached=options.pop("attached", ()))
        self.lines = Typed(*lines)
        with SyncExecutor(Stack(*layers, leaf).build()) as executor:
            shown = display(reasoning=options.pop("reasoning", True))
            self.code = Talk(executor, self.conversation, self.lines, shown, **options).run()
        captured = capsys.readouterr()
        self.out, self.err = captured.out, captured.err

    @property
    def asked(self):
        """The texts of every request, by role."""
        return [[(m.role[0], _text(m)) for m in call.chat_req.messages] for call in self.leaf.calls]


def _text(message):
    return "".join(part.text for part in message.content if isinstance(part, Text))


@pytest.fixture
def talk(capsys):
    def run(leaf, *lines, **options):
        return Talked(capsys, leaf, *lines, **options)

    return run


class TestTurns:
    def test_what_was_said_goes_back_with_the_next_question(self, talk):
        done = talk(ScriptedExecutor("One.", "Two.", "Three."), "a", "b", "c", system="Count.")
        assert (done.code, done.out) == (0, "One.\nTwo.\nThree.\n")
        assert done.asked == [
            [("u", "a")],
            [("u", "a"), ("a", "One."), ("u", "b")],
            [("u", "a"), ("a", "One."), ("u", "b"), ("a", "Two."), ("u", "c")],
        ]
        assert {call.chat_req.system for call in done.leaf.calls} == {"Count."}
        ids = {call.options.call.conversation_id for call in done.leaf.calls}
        assert ids == {done.conversation.id}

    @pytest.mark.parametrize("stream", [True, False])
    def test_signatures_and_reasoning_go_back_too(self, talk, stream):
        steps = (ReasoningChunk("Hm."), ThoughtSignatureChunk("sig"), Chunk("Yes."), End())
        done = talk(ScriptedExecutor(steps, "Good."), "a", "b", stream=stream)
        assert done.leaf.calls[1].chat_req.messages[1].content == (
            ReasoningContent(text="Hm."),
            ThoughtSignature(signature="sig"),
            Text("Yes."),
        )
        assert done.out == "Yes.\nGood.\n"
        assert "reasoning: Hm.\n" in done.err
        assert done.leaf.calls[0].streaming is stream

    def test_several_lines_make_one_message(self, talk):
        lines = [
            "one \\",
            "two\\",
            "three",
            '"""four',
            "",
            "/help",
            'five"""',
            '"""six"""',
            " /not a command",
            "",
            "  ",
        ]
        done = talk(ScriptedExecutor("Yes.", repeat=True), *lines)
        said = [request[-1][1] for request in done.asked]
        assert said == ["one \ntwo\nthree", "four\n\n/help\nfive", "six", "/not a command"]
        assert done.lines.prompts[:7] == ["> ", ". ", ". ", "> ", ". ", ". ", ". "]

    def test_reasoning_is_hidden_when_not_wanted(self, talk):
        done = talk(ScriptedExecutor((ReasoningChunk("Hm."), Chunk("Yes."), End())), "a", reasoning=False)
        assert (done.out, "Hm." in done.err) == ("Yes.\n", False)

    def test_tool_calls_are_shown_and_the_model_is_told_that_nobody_ran_them(self, talk):
        steps = (Chunk("Let me see."), ToolCallChunk(0, "c1", "weather", '{"city": "Köln"}'), End())
        done = talk(ScriptedExecutor(steps, "A pity."), "a", "b")
        assert done.out == 'Let me see.\nweather({"city": "Köln"})\nA pity.\n'
        assert "no tool is run here" in done.err
        _, said, told, question = done.leaf.calls[1].chat_req.messages
        assert said.content[1] == ToolCall(call_id="c1", fn_name="weather", fn_arguments={"city": "Köln"})
        assert isinstance(told.content[0], ToolResponse)
        assert (told.role, told.content[0].call_id, question.role) == ("tool", "c1", "user")

    def test_what_is_attached_goes_with_the_first_question(self, talk):
        image = Binary.from_bytes("image/png", b"png", "a.png")
        done = talk(ScriptedExecutor("Cat.", repeat=True), "a", "b", attached=[image])
        first, second = [call.chat_req.messages for call in done.leaf.calls]
        assert first[0].content == (image, Text("a"))
        assert (second[0], second[2].content) == (first[0], (Text("b"),))

    def test_an_answer_of_nothing_is_not_kept(self, talk):
        done = talk(ScriptedExecutor((ReasoningChunk("Hm."), End()), (End(),), "Yes."), "a", "b", "c")
        assert done.asked[-1] == [("u", "c")]
        assert done.err.count("there is no answer to keep") == 2

    def test_an_answer_that_starts_over_is_kept_as_it_ended(self, talk):
        steps = (Chunk("Half"), Restart("spare", "m2", ErrorKind.TRUNCATED), Chunk("Whole."), End())
        done = talk(ScriptedExecutor(steps, "Yes."), "a", "b")
        assert "it starts over at spare ---\n\nWhole.\n" in done.out
        assert done.asked[1][1] == ("a", "Whole.")


class TestFailures:
    def test_a_failed_turn_is_told_and_not_kept_and_the_conversation_goes_on(self, talk):
        done = talk(ScriptedExecutor("One.", DOWN, "Two."), "a", "b", "c")
        assert (done.code, done.out) == (0, "One.\nTwo.\n")
        assert "error: overloaded" in done.err
        assert "this turn is not kept; /retry asks again" in done.err
        assert done.asked[-1] == [("u", "a"), ("a", "One."), ("u", "c")]

    def test_a_stream_that_breaks_is_no_answer(self, talk):
        done = talk(ScriptedExecutor((Chunk("Half an"), DOWN), "Two."), "a", "b")
        assert done.out == "Half an\nTwo.\n"
        assert "only a part of it" in done.err
        assert done.asked[-1] == [("u", "b")]

    def test_bytes_that_are_no_text_are_not_sent(self, talk):
        done = talk(ScriptedExecutor("One."), "a\udcff", UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"), "b")
        assert done.err.count("this is not UTF-8 text, and was not sent") == 2
        assert done.asked == [[("u", "b")]]


class TestCtrlC:
    def test_it_stops_the_answer_and_keeps_what_came(self, talk):
        steps = (ReasoningChunk("Hm."), Chunk("Half an!"), Chunk(" answer"), End())
        done = talk(ScriptedExecutor(steps, "Two."), "a", "b", display=Stopping)
        assert (done.code, done.out) == (0, "Half an!\nTwo.\n")
        assert "stopped; what came so far is kept as the answer" in done.err
        assert done.asked[1] == [("u", "a"), ("a", "Half an!"), ("u", "b")]
        assert done.leaf.calls[1].chat_req.messages[1].content == (Text("Half an!"),)
        assert done.leaf.calls[0].finish is not None

    def test_nothing_is_kept_of_an_answer_without_text(self, talk):
        done = talk(ScriptedExecutor((Chunk(" \n"), Chunk("Yes."), End()), "Two."), "a", "b", display=AtOnce)
        assert "stopped; nothing had come" in done.err
        assert done.asked[-1] == [("u", "b")]

    def test_a_second_one_leaves_with_130(self, talk):
        done = talk(ScriptedExecutor(answer("Half!")), "a", KeyboardInterrupt, "b", display=Stopping)
        assert (done.code, done.lines.rest) == (130, ["b"])

    def test_at_an_empty_prompt_it_leaves_when_pressed_twice(self, talk):
        done = talk(ScriptedExecutor("One."), KeyboardInterrupt, "a", KeyboardInterrupt, KeyboardInterrupt, "b")
        assert (done.code, done.out, done.lines.rest) == (130, "One.\n", ["b"])
        assert done.err.count("Ctrl-C again leaves") == 2

    def test_it_drops_what_was_typed(self, talk):
        lines = [("half a li", KeyboardInterrupt), "one \\", KeyboardInterrupt, '"""two', KeyboardInterrupt, "three"]
        done = talk(ScriptedExecutor("Yes."), *lines)
        assert done.asked == [[("u", "three")]]
        assert (done.code, "leaves" in done.err) == (0, False)


class TestCommands:
    def test_every_command_is_listed_by_help(self, talk):
        done = talk(ScriptedExecutor(), "/help")
        for name in ("new", "model", "system", "retry", "undo", "save", "attempts", "usage", "exit"):
            assert f"\n  /{name}" in done.err
        assert done.out == ""

    def test_leaving(self, talk):
        done = talk(ScriptedExecutor(), "/exit", "a")
        assert (done.code, done.lines.rest) == (0, ["a"])

    def test_one_that_does_not_exist_is_not_sent(self, talk):
        done = talk(ScriptedExecutor(), "/modle x", "/xyzzy", "/EXIT", "a")
        assert "There is no command /modle; did you mean /model?" in done.err
        assert "There is no command /xyzzy; /help lists them." in done.err
        assert done.lines.rest == ["a"]

    def test_what_only_looks_like_one_is_sent(self, talk):
        done = talk(ScriptedExecutor("Yes.", repeat=True), "/etc/passwd?", "// a comment", "/* another */")
        assert [request[-1][1] for request in done.asked] == ["/etc/passwd?", "// a comment", "/* another */"]

    def test_new_forgets_all_but_model_and_system(self, talk):
        done = talk(
            ScriptedExecutor("Yes.", repeat=True), "/model other", "/system Be brief.", "a", "/new", "/retry", "b"
        )
        assert done.asked == [[("u", "a")], [("u", "b")]]
        assert {(call.model, call.chat_req.system) for call in done.leaf.calls} == {("other", "Be brief.")}
        assert len({call.options.call.conversation_id for call in done.leaf.calls}) == 2
        assert "There is nothing to ask again." in done.err

    def test_model_and_system_are_shown_and_taken_away(self, talk):
        done = talk(ScriptedExecutor("Yes."), "/model", "/system", "/system Be brief.", "/system -", "a", system="Old.")
        assert "The model is m." in done.err
        assert "The system prompt is: Old." in done.err
        assert "There is no system prompt." in done.err
        assert done.leaf.calls[0].chat_req.system is None

    def test_undo(self, talk):
        done = talk(ScriptedExecutor("One.", "Two.", "Three."), "a", "b", "/undo", "c", "/undo", "/undo", "/undo")
        assert done.asked[-1] == [("u", "a"), ("a", "One."), ("u", "c")]
        assert done.err.count("are taken back") == 3
        assert "none left" in done.err
        assert "There is nothing to take back." in done.err

    def test_retry_asks_again_in_place_of_the_answer_and_past_the_cache(self, talk):
        leaf = ScriptedExecutor("One.", "Two.", "Three.")
        done = talk(leaf, "a", "/retry", "b", layers=[Cache()])
        assert done.out == "One.\nTwo.\nThree.\n"
        assert done.asked == [[("u", "a")], [("u", "a")], [("u", "a"), ("a", "Two."), ("u", "b")]]

    def test_retry_of_a_turn_that_failed(self, talk):
        done = talk(ScriptedExecutor("One.", DOWN, "Two."), "a", "b", "/retry")
        assert done.asked[1] == done.asked[2] == [("u", "a"), ("a", "One."), ("u", "b")]
        assert len(done.conversation.turns) == 2

    def test_a_retry_that_fails_leaves_the_earlier_answer(self, talk):
        done = talk(ScriptedExecutor("One.", DOWN, "Two."), "a", "/retry", "b")
        assert "the earlier answer stays" in done.err
        assert done.asked[-1] == [("u", "a"), ("a", "One."), ("u", "b")]

    def test_attempts_and_usage_count_what_failed_too(self, talk):
        done = talk(ScriptedExecutor(answer("One."), DOWN), "/attempts", "a", "/attempts", "b", "/attempts", "/usage")
        assert "there is no record of an attempt" in done.err
        rows = [line.split()[2:4] for line in done.err.splitlines() if line.startswith("1 ")]
        assert rows == [["m", "completed"], ["m", "overloaded"], ["m", "overloaded"]]
        assert "3 + 2 tokens" in done.err
        assert "in 2 calls" in done.err

    def test_verbose_shows_the_attempts_of_each_turn_and_the_spend(self, talk):
        done = talk(ScriptedExecutor("One.", repeat=True), "a", "a\\", "b", "/new", "a", layers=[Cache()], verbose=True)
        assert done.err.count("completed") == 2
        assert done.err.count("answered from the cache; nobody was asked") == 1
        assert "Spent so far: 3 + 2 tokens" in done.err
        assert "in 3 calls" in done.err


class TestSaving:
    def test_json_is_a_request_that_can_go_on(self, talk, tmp_path):
        file = tmp_path / "talk.json"
        steps = (ReasoningChunk("Hm."), ThoughtSignatureChunk("sig"), Chunk("Yes."), End())
        done = talk(ScriptedExecutor(steps, "Two."), "a", f"/save {file}", "b", f"/save {file}", system="Be brief.")
        saved = ChatRequest.model_validate_json(file.read_text(encoding="utf-8"))
        assert saved.system == "Be brief."
        assert saved.messages == (*done.leaf.calls[1].chat_req.messages, done.conversation.turns[1].answer)
        assert "Saved 1 turn to" in done.err
        assert "Saved 2 turns to" in done.err

    def test_any_other_name_is_markdown(self, talk, tmp_path):
        file = tmp_path / "talk.md"
        image = Binary.from_bytes("image/png", b"png", "a.png")
        talk(ScriptedExecutor("A *cat*."), "What?", f"/save {file}", system="Be brief.", attached=[image])
        said = ["# A conversation with m", "## System", "Be brief.", "## You", "[a.png]", "What?", "## m", "A *cat*."]
        assert file.read_text(encoding="utf-8") == "\n\n".join(said) + "\n"

    def test_nothing_is_written_over_and_what_cannot_be_written_is_told(self, talk, tmp_path):
        file = tmp_path / "mine.txt"
        file.write_text("mine")
        done = talk(ScriptedExecutor("One."), "a", f"/save {file}", f"/save {tmp_path / 'no' / 'such'}", "/save")
        assert file.read_text() == "mine"
        assert "mine.txt exists, and is left alone" in done.err
        assert "cannot be written: No such file or directory" in done.err
        assert "Say where: /save FILE." in done.err
        assert json.loads(done.conversation.as_json())["messages"]
