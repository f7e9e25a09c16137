"""Bedrock as a declaration, and through a whole stack, over HTTP."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.providers.end_to_end import ASK, LEAVES, Simulated, calling, simulated_by, talk, talk_streamed

from lamellar import ChatOptions, Stack, ToolCall
from lamellar.chat.content import ReasoningContent, Text, ThoughtSignature
from lamellar.chat.events import Chunk
from lamellar.errors import ConfigError, ExecutorError, StreamInterruptedError
from lamellar.providers import Bedrock
from lamellar.testing import ManualClock, ProviderSimulator
from lamellar.testing.simulator import (
    Answer,
    Garbage,
    RequestLog,
)
from lamellar.testing.simulator.wire_bedrock import SIGNATURE

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "FwoGZXIvYXdzEXAMPLETOKEN0123456789"
LEAF = LEAVES["bedrock"]
MODEL = LEAF.model
CALLS = calling("t1", "t2")
THINK = ChatOptions(reasoning_effort=1024, max_tokens=5000)


@pytest.fixture(autouse=True)
def nobody(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a key nor credentials nor a region in the environment."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "BEDROCK_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulated]:
    with simulated_by(LEAF, monkeypatch) as make:
        yield make


async def test_a_conversation_with_tools(simulated: Simulated):
    executor, simulator = simulated([CALLS, Answer("Sunny and rainy.")])
    async with executor:
        await talk(executor, LEAF, ((0, {"sky": "blue"}), (1, {"sky": "blue"})), THINK)
    one, two = simulator.requests
    assert (one.model, one.stream, one.status) == (MODEL, False, 200)
    assert one.path == "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"
    body: Any = two.json
    assert body["additionalModelRequestFields"] == {"thinking": {"type": "enabled", "budget_tokens": 1024}}
    assert body["messages"][1]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "Two cities.", "signature": SIGNATURE}}},
        {"text": "Let me see."},
        {"toolUse": {"toolUseId": "t1", "name": "weather", "input": {"city": "Paris"}}},
        {"toolUse": {"toolUseId": "t2", "name": "weather", "input": {"city": "Rome"}}},
    ]
    assert [block["toolResult"]["toolUseId"] for block in body["messages"][2]["content"]] == ["t1", "t2"]


async def test_a_streamed_conversation_with_tools(simulated: Simulated):
    executor, simulator = simulated([CALLS, Answer("Sunny.")])
    async with executor:
        await talk_streamed(executor, LEAF, (ReasoningContent, ThoughtSignature, Text, ToolCall, ToolCall), THINK)
    assert [request.outcome for request in simulator.requests] == ["completed"] * 2
    assert simulator.requests[1].path.endswith("/converse-stream")
    assert simulator.connection_count == 1


async def test_what_is_spoilt_is_never_an_answer(simulated: Simulated):
    executor, _ = simulated([Garbage(Answer("a b c"), at=3)])
    async with executor:
        stream = await executor.exec_chat_stream_events(MODEL, ASK)
        with pytest.raises(StreamInterruptedError) as caught:
            async with stream as events:
                async for _ in events:
                    pass
    assert caught.value.partial == (Text("a b"),)
    assert caught.value.kind == "malformed"


# -- signatures ---------------------------------------------------------------------------------------------------


def is_signed(request: RequestLog, host: str, secret: str, token: str | None, wall: float) -> bool:
    """Whether AWS's own library makes the same signature of what arrived."""
    auth = pytest.importorskip("botocore.auth")
    awsrequest = pytest.importorskip("botocore.awsrequest")
    library = pytest.importorskip("botocore.credentials")
    fields = dict(part.strip().split("=", 1) for part in request.headers["authorization"].partition(" ")[2].split(","))
    headers = {name: request.headers[name] for name in fields["SignedHeaders"].split(";")}
    key, *scope = fields["Credential"].split("/")
    made = awsrequest.AWSRequest(request.method, f"http://{host}{request.path}", headers, request.body)
    made.context["timestamp"] = datetime.fromtimestamp(wall, UTC).strftime("%Y%m%dT%H%M%SZ")
    signer = auth.SigV4Auth(library.Credentials(key, secret, token), "bedrock", "eu-west-1")
    told = signer.signature(signer.string_to_sign(made, signer.canonical_request(made)), made)
    return (
        headers["x-amz-date"] == made.context["timestamp"] and scope[1] == "eu-west-1" and told == fields["Signature"]
    )


@pytest.mark.parametrize("engine", ["aiohttp", "httpx"])
async def test_what_arrives_is_what_was_signed(engine: Any):
    pytest.importorskip("aiohttp")
    clock = ManualClock()
    with ProviderSimulator([Answer("a"), Answer("b")], dialect="converse") as simulator:
        spec = Bedrock(
            base_url=simulator.base_url,
            region="eu-west-1",
            access_key_id="AKIDEXAMPLE",
            secret_access_key=SECRET,
            session_token=TOKEN,
            engine=engine,
        )
        arn = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc"
        async with Stack(spec).build(clock=clock) as executor:
            assert (await executor.exec_chat_response(arn, ASK)).text == "a"
            async with await executor.exec_chat_stream_events(MODEL, ASK) as events:
                assert "".join([event.content async for event in events if isinstance(event, Chunk)]) == "b"
            shown = repr(executor) + repr(simulator.requests) + repr(spec)
        for request in simulator.requests:
            assert is_signed(request, request.headers["host"], SECRET, TOKEN, clock.wall())
            assert request.headers["x-amz-security-token"] == TOKEN
    assert SECRET not in shown
    assert TOKEN not in shown


async def test_without_credentials_the_call_says_so():
    async with Stack(Bedrock(region="eu-west-1")).build() as executor:
        with pytest.raises(ExecutorError) as caught:
            await executor.exec_chat_response(MODEL, ASK)
    assert (caught.value.kind, caught.value.code) == ("unauthorized", "no_credentials")
    assert (caught.value.provider, caught.value.model) == ("bedrock", MODEL)


# -- the declaration ----------------------------------------------------------------------------------------------


def test_where_it_is(monkeypatch: pytest.MonkeyPatch):
    assert Bedrock().address() == "https://bedrock-runtime.us-east-1.amazonaws.com"
    assert Bedrock(region="eu-west-1").address() == "https://bedrock-runtime.eu-west-1.amazonaws.com"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-south-1")
    assert Bedrock().place() == "ap-south-1"
    monkeypatch.setenv("AWS_REGION", "cn-north-1")
    assert Bedrock().address() == "https://bedrock-runtime.cn-north-1.amazonaws.com.cn"
    assert Bedrock(region="eu-west-1").place() == "eu-west-1"
    assert Bedrock(base_url="https://vpce-1.bedrock-runtime.us-east-2.vpce.amazonaws.com").place() == "us-east-2"
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "https://two.example")
    assert Bedrock().address() == "https://two.example"
    monkeypatch.setenv("BEDROCK_BASE_URL", "https://one.example/")
    assert Bedrock().address() == "https://one.example"
    assert Bedrock(base_url="https://own.example").address() == "https://own.example"


def test_whose_key_it_is(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "theirs")
    assert Bedrock().keys() == ("theirs",)
    monkeypatch.setenv("BEDROCK_API_KEY", "ours")
    assert Bedrock().keys() == ("ours",)
    assert Bedrock(api_key=["a", "b"]).keys() == ("a", "b")
    assert Bedrock(profile="team").keys() == ()
    assert Bedrock(access_key_id="a", secret_access_key="b").keys() == ()


def test_neither_key_nor_library(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lamellar.providers.aws.credentials.find_spec", lambda name: None)
    with pytest.raises(ConfigError) as caught:
        Stack(Bedrock()).build()
    assert "BEDROCK_API_KEY" in str(caught.value)
    assert "lamellar[bedrock]" in str(caught.value)
    assert Bedrock(access_key_id="a", secret_access_key="b").keys() == ()
    assert Bedrock(base_url="https://gateway.example").keys() == ()


async def test_a_gateway_of_ones_own_gets_no_signature(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    with ProviderSimulator(dialect="converse") as simulator:
        async with Stack(Bedrock(base_url=simulator.base_url)).build() as executor:
            await executor.exec_chat_response(MODEL, ASK)
        assert "authorization" not in simulator.last_request.headers


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"access_key_id": "a"}, "secret_access_key"),
        ({"secret_access_key": "a"}, "access_key_id"),
        ({"session_token": "a"}, "access_key_id"),
        ({"api_key": "k", "profile": "p"}, "api_key and profile"),
        ({"api_key": "k", "access_key_id": "a", "secret_access_key": "b"}, "api_key and access_key_id"),
        ({"region": "https://eu"}, "region"),
    ],
)
def test_options_that_do_not_go_together(options: dict[str, Any], said: str):
    with pytest.raises(ConfigError) as caught:
        Bedrock(**options)
    assert said in str(caught.value)


def test_a_credential_that_is_missing_is_told_at_build():
    with pytest.raises(ConfigError, match=r"bedrock\.secret_access_key.*NOT_THERE"):
        Stack(Bedrock(access_key_id="a", secret_access_key={"env": "NOT_THERE"})).build()


def test_the_declaration_is_light():
    assert "botocore.session" not in sys.modules or Bedrock().identity()
    spec = Bedrock(access_key_id="AKIDEXAMPLE", secret_access_key=SECRET)
    assert SECRET not in repr(spec)
    assert SECRET not in repr(spec.identity())
