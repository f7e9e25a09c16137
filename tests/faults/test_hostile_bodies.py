"""Bodies that no provider should send: each a classified error, in bounded memory and time, on both engines."""

from __future__ import annotations

import gzip
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.faults.bench import KEY, REQUEST, leaf

from lamellar import ErrorKind, ExecutorError, LlmExecutor, Stack
from lamellar.providers import OpenAI
from lamellar.testing.simulator import Answer, HtmlPage, ProviderSimulator, Redirect, Reply, Status
from lamellar.testing.simulator.steps import EndOfBody, Head, Part, Scene, Step, whole

BOMB = 1 << 30
"""Bytes that a bomb of about a megabyte unpacks to."""


@dataclass(frozen=True, slots=True)
class Body(Reply):
    """A body as it is, with these headers."""

    data: bytes
    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)

    def steps(self, scene: Scene) -> Iterator[Step]:
        return whole(self.status, self.data, self.headers)


@dataclass(frozen=True, slots=True)
class Endless(Reply):
    """One line without an end, or as many lines as anybody reads."""

    piece: bytes
    status: int = 200

    def steps(self, scene: Scene) -> Iterator[Step]:
        yield Head(self.status, (("content-type", "text/event-stream"), ("x-request-id", "req-endless")))
        while True:
            yield Part(self.piece)

    def __str__(self) -> str:
        return "Endless"


async def ask(executor: LlmExecutor, *, stream: bool) -> object:
    if not stream:
        return await executor.exec_chat_response("m", REQUEST)
    return await (await executor.exec_chat_stream_events("m", REQUEST)).collect()


async def failure(reply: Reply, engine: str, *, stream: bool, key: str = KEY) -> ExecutorError:
    """The error that the reply ends in."""
    with ProviderSimulator(reply, require_key=KEY) as simulator:
        declared = OpenAI(base_url=simulator.base_url, api_key=key, engine=engine, verify=False)
        async with Stack(declared).build() as executor:
            with pytest.raises(ExecutorError) as caught:
                await ask(executor, stream=stream)
    return caught.value


PAGE = HtmlPage(html=f"<html><head><title>Sign in: {KEY}</title></head></html>")
SAID = (("x-request-id", "req-7"), ("content-type", "application/json"))
LATIN = '{"error": "clé inconnue"'.encode("latin-1")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("reply", "kind", "status", "told"),
    [
        pytest.param(PAGE, ErrorKind.MALFORMED, 200, "an HTML page titled 'Sign in", id="a page with 200"),
        pytest.param(HtmlPage(404), ErrorKind.INVALID_REQUEST, 404, "titled 'One moment'", id="a wrong endpoint"),
        pytest.param(Body(b"", headers=SAID), None, 200, "", id="empty"),
        pytest.param(Body(b"", 500, SAID), ErrorKind.SERVER_ERROR, 500, "no message", id="an empty error"),
        pytest.param(Body(LATIN, headers=SAID), ErrorKind.MALFORMED, 200, "inconnue", id="another charset"),
        pytest.param(Body(LATIN, 400, SAID), ErrorKind.INVALID_REQUEST, 400, "inconnue", id="another, an error"),
        pytest.param(Body("{}".encode("utf-16"), headers=SAID), ErrorKind.MALFORMED, 200, "", id="utf-16"),
        pytest.param(Body(b"\xff\xfe\x00" * 999, headers=SAID), ErrorKind.MALFORMED, 200, "", id="binary"),
        pytest.param(
            Redirect("http://me@127.0.0.1:9/v2?key=k"), ErrorKind.INVALID_REQUEST, 307, "127.0.0.1:9", id="moved"
        ),
        pytest.param(Redirect("/v2/chat", 301), ErrorKind.INVALID_REQUEST, 301, "base_url", id="redirect by path"),
    ],
)
async def test_each_is_a_classified_error(
    engine: str, reply: Reply, kind: ErrorKind | None, status: int, told: str, stream: bool
) -> None:
    error = await failure(reply, engine, stream=stream)
    assert error.kind is (kind or (ErrorKind.TRUNCATED if stream else ErrorKind.MALFORMED))
    assert error.status == status
    assert error.request_id in ("req-7", "req_sim_1")
    assert told in error.message
    assert len(error.message) < 1200
    assert KEY not in f"{error!s}{error!r}{error.attempts!r}"
    assert "key=k" not in str(error)
    assert error.attempts[0].status == status
    assert error.attempts[0].request_id == error.request_id


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_wrong_key_is_told_and_not_shown(engine: str, stream: bool) -> None:
    other = "sk-another-9876543210fedcba"
    refused = await failure(Answer(), engine, stream=stream, key=other)
    assert (refused.kind, refused.status, refused.retryable) == (ErrorKind.UNAUTHORIZED, 401, False)
    assert other not in f"{refused!s}{refused!r}"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    "piece",
    [b"data: " + b"x" * (1 << 20), b"x" * (1 << 20), b" " * (1 << 20)],
    ids=["of an event", "of nothing", "of blanks"],
)
async def test_an_endless_line_is_given_up(
    engine: str, stream: bool, piece: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lamellar.providers.http._BODY_LIMIT", 8 << 20)
    began = time.monotonic()
    error = await failure(Endless(piece), engine, stream=stream)
    assert error.kind is ErrorKind.MALFORMED
    assert error.request_id == "req-endless"
    assert time.monotonic() - began < 20


def bomb(kind: str) -> bytes:
    """A body that unpacks to `BOMB` bytes: one packed block, over and over.

    Blanks, or comments of an event stream: nothing of those is kept, so only their number tells.
    """
    block = b": ping\n\n" * (1 << 17) if kind == "comments" else b" " * (1 << 20)
    packer = zlib.compressobj(9, wbits=-15)
    packed = (packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)) * (BOMB // len(block)) + b"\x03\x00"
    if kind == "raw":
        return packed
    return b"\x78\x9c" + packed if kind == "zlib" else b"\x1f\x8b\x08" + bytes(7) + packed


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("kind", "encoding"), [("gzip", "gzip"), ("zlib", "deflate"), ("raw", "deflate"), ("comments", "x-gzip")]
)
async def test_a_bomb_is_not_unpacked(engine: str, stream: bool, status: int, kind: str, encoding: str) -> None:
    data = bomb(kind)
    assert len(data) < 4 << 20
    reply = Body(data, status, (*SAID, ("content-encoding", encoding)))
    began = time.monotonic()
    error = await failure(reply, engine, stream=stream)
    assert time.monotonic() - began < 10
    if status == 200:
        assert (error.kind, error.code) == (ErrorKind.MALFORMED, "encoding")
        assert "unpacks" in error.message
    else:
        assert error.kind is ErrorKind.SERVER_ERROR
    assert (error.status, error.request_id) == (status, "req-7")


async def test_a_bomb_takes_no_memory(engine: str) -> None:
    reply = Body(bomb("gzip"), 200, (*SAID, ("content-encoding", "gzip")))
    await failure(reply, engine, stream=False)  # so that what is loaded once is not counted
    tracemalloc.start()
    try:
        await failure(reply, engine, stream=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 48 << 20


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("encoding", ["zstd", "gzip, br", "rot13"])
async def test_an_encoding_that_was_not_asked_for_is_told(engine: str, encoding: str, stream: bool) -> None:
    reply = Body(b"\x0b\x02\x80" * 100, 200, (*SAID, ("content-encoding", encoding)))
    error = await failure(reply, engine, stream=stream)
    assert (error.kind, error.code, error.status) == (ErrorKind.MALFORMED, "encoding", 200)
    assert "not asked for" in error.message
    refused = await failure(Body(b"\x0b", 401, (*SAID, ("content-encoding", encoding))), engine, stream=stream)
    assert refused.kind is ErrorKind.UNAUTHORIZED, "the status says enough"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("pieces", [1, 7, 4096])
async def test_an_encoded_answer_is_read_whatever_its_pieces(engine: str, stream: bool, pieces: int) -> None:
    text = "The sky is blue. " * 4000

    @dataclass(frozen=True, slots=True)
    class Packed(Reply):
        def steps(self, scene: Scene) -> Iterator[Step]:
            wire, answer = scene.wire, Answer(text)
            plain = (
                b"".join(part.data for part in wire.render_stream(answer, scene.request))
                if scene.request.stream
                else wire.render_json(answer, scene.request)
            )
            half = len(plain) // 2
            data = gzip.compress(plain[:half]) + gzip.compress(plain[half:]) + b"\0\0trailer"  # two members and rubbish
            kind = wire.stream_type if scene.request.stream else "application/json"
            yield Head(200, (("content-type", kind), ("content-encoding", "gzip")))
            size = max(pieces, len(data) // 2000)
            for at in range(0, len(data), size):
                yield Part(data[at : at + size])
            yield EndOfBody()

    with ProviderSimulator(Packed()) as simulator:
        async with Stack(leaf(simulator, engine)).build() as executor:
            response = await ask(executor, stream=stream)
            again = await ask(executor, stream=stream)
        assert simulator.requests[0].headers["accept-encoding"].startswith("gzip, deflate")
    assert response.text == again.text == text  # type: ignore[attr-defined]


async def test_a_status_with_a_body_that_is_no_error_keeps_the_beginning_of_it(engine: str) -> None:
    error = await failure(Status(503, body=f"upstream said no; Bearer {KEY} " + "x" * 5000), engine, stream=False)
    assert error.kind is ErrorKind.OVERLOADED
    assert error.message.startswith("upstream said no")
    assert KEY not in str(error)
    assert len(error.message) <= 1000
