"""Google's application default credentials: a service account whose tokens come from a server on loopback."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from lamellar import ChatOptions, ChatRequest, Stack
from lamellar.errors import ExecutorError
from lamellar.executor import LlmExecutor
from lamellar.providers import Vertex
from lamellar.providers.engines import NetworkOptions
from lamellar.providers.google_credentials import DefaultCredentials
from lamellar.providers.wire import WireRequest
from lamellar.testing import ProviderSimulator
from lamellar.testing.simulator import Answer

pytest.importorskip("google.auth")
pytest.importorskip("requests")
rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")

HELLO = ChatRequest.from_user("hi")


class TokenServer(ThreadingHTTPServer):
    """Gives a new token to whoever asks, or what it was told to say."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[dict[str, list[str]]] = []
        self.said: tuple[int, dict[str, Any]] | None = None
        self.lifetime = 3600
        self.open = threading.Event()
        self.open.set()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/token"


class _Handler(BaseHTTPRequestHandler):
    server: TokenServer

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers["content-length"])).decode()
        self.server.asked.append(parse_qs(form))
        self.server.open.wait(5)
        token = {"access_token": f"ya29.token-{len(self.server.asked)}", "expires_in": self.server.lifetime}
        status, told = self.server.said or (200, {**token, "token_type": "Bearer"})
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def tokens() -> Iterator[TokenServer]:
    with TokenServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.open.set()
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def private_key() -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture(autouse=True)
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokens: TokenServer, private_key: str) -> Path:
    """A service account's file, named by the variable under which Google's library looks for it."""
    for name in ("VERTEX_API_KEY", "VERTEX_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    path = tmp_path / "account.json"
    told = {
        "type": "service_account",
        "project_id": "p",
        "private_key_id": "id",
        "private_key": private_key,
        "client_email": "lamellar@p.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": tokens.url,
    }
    path.write_text(json.dumps(told))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    return path


def write(account: Path, text: str) -> None:
    account.write_text(text)


def rewrite(account: Path, **changed: str) -> None:
    write(account, json.dumps({**json.loads(account.read_text()), **changed}))


@pytest.fixture
def simulator() -> Iterator[ProviderSimulator]:
    with ProviderSimulator(default=Answer("hi"), dialect="vertex") as running:
        yield running


def stack(simulator: ProviderSimulator) -> LlmExecutor:
    return Stack(Vertex(base_url=simulator.base_url, project="p", default_credentials=True)).build()


def bearers(simulator: ProviderSimulator) -> list[str]:
    return [request.headers["authorization"] for request in simulator.requests]


async def test_a_token_is_fetched_once_and_signs_both_paths(simulator: ProviderSimulator, tokens: TokenServer):
    async with stack(simulator) as executor:
        assert (await executor.exec_chat_response("gemini-2.5-flash", HELLO)).text == "hi"
        stream = await executor.exec_chat_stream_events("claude-haiku-4-5@20251001", HELLO)
        assert (await stream.collect()).text == "hi"
    assert bearers(simulator) == ["Bearer ya29.token-1"] * 2
    assert tokens.asked[0]["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]


async def test_calls_that_come_together_wait_for_one_token(simulator: ProviderSimulator, tokens: TokenServer):
    tokens.open.clear()
    async with stack(simulator) as executor:
        calls = [asyncio.create_task(executor.exec_chat_response("gemini-2.5-flash", HELLO)) for _ in range(20)]
        while not tokens.asked:
            await asyncio.sleep(0.005)
        calls[0].cancel()  # it was the first: the token is everybody's
        with pytest.raises(asyncio.CancelledError):
            await calls[0]
        tokens.open.set()
        assert {response.text for response in await asyncio.gather(*calls[1:])} == {"hi"}
    assert len(tokens.asked) == 1
    assert bearers(simulator) == ["Bearer ya29.token-1"] * 19


async def test_a_token_that_is_about_to_expire_is_renewed(simulator: ProviderSimulator, tokens: TokenServer):
    tokens.lifetime = 60  # Google's library renews some minutes before
    async with stack(simulator) as executor:
        for _ in range(2):
            await executor.exec_chat_response("gemini-2.5-flash", HELLO)
    assert bearers(simulator) == ["Bearer ya29.token-1", "Bearer ya29.token-2"]


def test_another_loop_takes_the_same_token(simulator: ProviderSimulator, tokens: TokenServer):
    executor = stack(simulator)
    for _ in range(2):
        asyncio.run(executor.exec_chat_response("gemini-2.5-flash", HELLO))
    asyncio.run(executor.aclose())
    assert bearers(simulator) == ["Bearer ya29.token-1"] * 2
    assert len(tokens.asked) == 1


async def test_a_header_of_the_callers_own_wins(simulator: ProviderSimulator, tokens: TokenServer):
    own = ChatOptions(extra_headers={"Authorization": "Bearer own"})
    async with stack(simulator) as executor:
        await executor.exec_chat_response("gemini-2.5-flash", HELLO, own)
    assert bearers(simulator) == ["Bearer own"]
    assert tokens.asked == []


async def test_a_refused_account_is_unauthorized_for_everyone_who_waits(
    simulator: ProviderSimulator, tokens: TokenServer
):
    tokens.said = (400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
    async with stack(simulator) as executor:
        calls = [executor.exec_chat_response("gemini-2.5-flash", HELLO) for _ in range(3)]
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert len({id(error) for error in errors}) == 3
        for error in errors:
            assert isinstance(error, ExecutorError)
            assert (error.kind, error.code, error.retryable) == ("unauthorized", "default_credentials", False)
            assert (error.provider, error.model) == ("vertex", "gemini-2.5-flash")
            assert "Invalid JWT Signature" in error.message
            assert "PRIVATE KEY" not in str(error) + repr(error)
        tokens.said = None  # the account was mended: the next call asks again
        assert (await executor.exec_chat_response("gemini-2.5-flash", HELLO)).text == "hi"
    assert simulator.request_count == 1


async def test_a_tokens_server_that_is_not_there_is_a_connection_that_failed(
    simulator: ProviderSimulator, account: Path
):
    rewrite(account, token_uri="http://127.0.0.1:9/token")
    async with stack(simulator) as executor:
        with pytest.raises(ExecutorError) as caught:
            await executor.exec_chat_response("gemini-2.5-flash", HELLO)
    assert (caught.value.kind, caught.value.retryable) == ("connection", True)


@pytest.mark.parametrize("broken", ["{}", "no json", '{"type": "service_account"}'])
async def test_a_file_that_is_no_account_is_told(simulator: ProviderSimulator, account: Path, broken: str):
    write(account, broken)
    async with stack(simulator) as executor:
        with pytest.raises(ExecutorError, match="default credentials gave no token") as caught:
            await executor.exec_chat_response("gemini-2.5-flash", HELLO)
    assert caught.value.kind == "unauthorized"


async def test_a_users_own_login_says_whose_quota_it_is(account: Path, tokens: TokenServer):
    told = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
    write(account, json.dumps({**told, "quota_project_id": "billed"}))
    signer = DefaultCredentials(NetworkOptions())
    from google.oauth2 import credentials

    endpoint = credentials._GOOGLE_OAUTH2_TOKEN_ENDPOINT
    credentials._GOOGLE_OAUTH2_TOKEN_ENDPOINT = tokens.url
    try:
        request = WireRequest("https://aiplatform.googleapis.com/v1/x", {}, b"{}")
        await signer(request)
    finally:
        credentials._GOOGLE_OAUTH2_TOKEN_ENDPOINT = endpoint
    assert request.headers == {"authorization": "Bearer ya29.token-1", "x-goog-user-project": "billed"}


async def test_the_way_to_the_token_is_that_of_the_calls(monkeypatch: pytest.MonkeyPatch, account: Path):
    seen: dict[str, Any] = {}
    import requests

    send = requests.Session.request

    def spied(session: Any, *args: Any, **more: Any) -> Any:
        seen.update(proxies=dict(session.proxies), verify=session.verify, cert=session.cert)
        return send(session, *args, **more)

    monkeypatch.setattr(requests.Session, "request", spied)
    some = str(account)  # any file there is: the token is fetched by plain HTTP
    network = NetworkOptions(proxy="http://proxy.test:3128", ca_bundle=some, client_cert=(some, some))
    await DefaultCredentials(network)(WireRequest("https://x.test", {}, b""))
    assert seen == {
        "proxies": {"https": "http://proxy.test:3128"},  # and none for plain HTTP: a machine's metadata stay beside it
        "verify": some,
        "cert": (some, some),
    }
    await DefaultCredentials(NetworkOptions(verify=False))(WireRequest("https://x.test", {}, b""))
    assert seen == {"proxies": {}, "verify": False, "cert": None}
