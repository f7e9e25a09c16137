"""Servers quote what they refuse: no secret of a request comes back in an error, a record or a pickle."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from lamellar import ChatOptions, ChatRequest, ErrorKind, ExecutorError, Stack
from lamellar.executor import LlmExecutor
from lamellar.providers import Auth, Auto, AzureOpenAI, Bedrock, OpenAI
from lamellar.providers.sent_secrets import SentSecrets
from lamellar.spec import ExecutorSpec
from lamellar.testing import ProviderSimulator
from lamellar.testing.simulator import Answer, InBandError, Reply, Status
from lamellar.testing.simulator.steps import Scene, Step, whole

HELLO = ChatRequest.from_user("hi")
SECRET = "plain-and-shapeless-words"
GATEWAY = {"x-gateway-code": {"env": "GATEWAY_CODE"}}


@pytest.fixture(autouse=True)
def said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_CODE", SECRET)
    for name in ("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def echo(**headers: str) -> Status:
    return Status(400, message=f"cannot serve {SECRET} today", code=f"no-{SECRET}", headers=headers)


def everything(error: ExecutorError) -> str:
    """All that can be seen of an error, its attempts and what it is pickled as."""
    pickled = pickle.dumps(error).decode("latin-1")
    return "".join(traceback.format_exception(error)) + repr(error) + repr(error.attempts) + pickled


async def failure(
    executor: LlmExecutor, options: ChatOptions | None = None, *, stream: bool = False, model: str = "m"
) -> ExecutorError:
    with pytest.raises(ExecutorError) as caught:
        if stream:
            await (await executor.exec_chat_stream_events(model, HELLO, options)).collect()
        else:
            await executor.exec_chat_response(model, HELLO, options)
    return caught.value


def declared(way: str, base_url: str) -> tuple[ExecutorSpec, ChatOptions | None, str]:
    """A declaration in which the secret stands in one of the places where secrets stand."""
    match way:
        case "key":
            return OpenAI(base_url=base_url, api_key=SECRET), None, "m"
        case "header by reference":
            return OpenAI(base_url=base_url, headers=GATEWAY), None, "m"
        case "header of the call":
            return OpenAI(base_url=base_url), ChatOptions(extra_headers={"X-Team-Token": SECRET}), "m"
        case "bearer of the call":
            return OpenAI(base_url=base_url), ChatOptions(extra_headers={"Authorization": f"Bearer {SECRET}"}), "m"
        case "cookie":
            return OpenAI(base_url=base_url), ChatOptions(extra_headers={"cookie": f"a=b; session={SECRET}"}), "m"
        case "token of a function":
            return AzureOpenAI(base_url=base_url, token_provider=lambda: SECRET), None, "m"
        case "override":
            auth = Auth.override(headers={"x-plain": SECRET})
            return Auto(providers={"groq": {"base_url": base_url}}, auth_resolver=lambda _: auth), None, "groq::m"
        case _:
            row = {"base_url": base_url, "headers": GATEWAY}
            return Auto(providers={"groq": row}, auth_resolver=lambda _: Auth.none()), None, "groq::m"


WAYS = [
    "key",
    "header by reference",
    "header of the call",
    "bearer of the call",
    "cookie",
    "token of a function",
    "override",
    "header by reference, asked by somebody else",
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("way", WAYS)
async def test_a_refusal_that_quotes_it(way: str, stream: bool) -> None:
    with ProviderSimulator(echo(**{"x-request-id": f"req-{SECRET}"})) as simulator:
        spec, options, model = declared(way, simulator.base_url)
        async with Stack(spec).build() as executor:
            error = await failure(executor, options, stream=stream, model=model)
        assert SECRET in " ".join(simulator.last_request.headers.values()), "it was sent"
    assert SECRET not in everything(error)
    assert error.message == "cannot serve ********** today"
    assert error.request_id == error.attempts[0].request_id == "req-**********"


@pytest.mark.parametrize("way", ["header by reference", "token of a function", "header of the call"])
async def test_an_error_in_a_stream_that_quotes_it(way: str) -> None:
    with ProviderSimulator(InBandError(message=f"overloaded by {SECRET}")) as simulator:
        spec, options, model = declared(way, simulator.base_url)
        async with Stack(spec).build() as executor:
            error = await failure(executor, options, stream=True, model=model)
    assert SECRET not in everything(error)
    assert "overloaded by **********" in error.message


@dataclass(frozen=True, slots=True)
class Nonsense(Reply):
    """A body that is none, and quotes the secret."""

    def steps(self, scene: Scene) -> Iterator[Step]:
        return whole(200, f"so you say {SECRET}".encode())


@pytest.mark.parametrize("way", ["header by reference", "override"])
async def test_a_body_that_cannot_be_read_and_quotes_it(way: str) -> None:
    with ProviderSimulator(Nonsense()) as simulator:
        spec, options, model = declared(way, simulator.base_url)
        async with Stack(spec).build() as executor:
            error = await failure(executor, options, model=model)
    assert error.kind is ErrorKind.MALFORMED
    assert "so you say **********" in error.message
    assert SECRET not in everything(error)


async def test_a_list_of_models_that_is_refused() -> None:
    with ProviderSimulator(rules={"/": echo()}) as simulator:
        async with Stack(OpenAI(base_url=simulator.base_url, headers=GATEWAY)).build() as executor:
            with pytest.raises(ExecutorError) as caught:
                await executor.list_models()
    assert SECRET not in everything(caught.value)
    assert "cannot serve" in caught.value.message


async def test_a_session_token_of_aws() -> None:
    with ProviderSimulator(echo(), dialect="converse") as simulator:
        spec = Bedrock(
            base_url=simulator.base_url,
            region="us-east-1",
            access_key_id="AKIDEXAMPLE",
            secret_access_key="not-sent",
            session_token=SECRET,
        )
        async with Stack(spec).build() as executor:
            error = await failure(executor)
        assert simulator.last_request.headers["x-amz-security-token"] == SECRET
    assert SECRET not in everything(error)


async def test_the_id_of_an_answer_that_is_good() -> None:
    with ProviderSimulator(Answer("hi", headers={"x-request-id": f"req-{SECRET}"})) as simulator:
        async with Stack(OpenAI(base_url=simulator.base_url, headers=GATEWAY)).build() as executor:
            response = await executor.exec_chat_response("m", HELLO)
    assert response.attempts[0].request_id == "req-**********"


def test_headers_are_read_when_somebody_asks_and_the_longest_comes_first() -> None:
    headers = {"accept": "application/json", "x-my-token": "abcd"}
    secrets = SentSecrets(("key-1", "key-1-and-more"), headers)
    assert "key-1" not in repr(secrets)
    headers["authorization"] = "Bearer signed"
    assert list(secrets)[:3] == ["key-1-and-more", "Bearer signed", "signed"]
    assert set(secrets) == {"key-1-and-more", "Bearer signed", "signed", "key-1", "abcd"}, "as often as one likes"
