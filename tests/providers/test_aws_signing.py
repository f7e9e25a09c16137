"""AWS's signature and credentials: as AWS's own library makes them."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from lamellar.errors import ErrorKind, ExecutorError
from lamellar.providers.aws.credentials import CredentialChain, GivenCredentials
from lamellar.providers.aws.region import host_of, region_in, usual_region
from lamellar.providers.aws.signer import AwsSigner
from lamellar.providers.aws.sigv4 import AwsCredentials, signature_headers
from lamellar.providers.wire import WireRequest

WALL = 1_790_000_000.5
GIVEN = AwsCredentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
TEMPORARY = GIVEN._replace(session_token="FwoGZXIvYXdzEXAMPLE//TOKEN==")
URLS = [
    "https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.nova-lite-v1%3A0/converse",
    "https://bedrock-runtime.eu-west-1.amazonaws.com/model/arn%3Aaws%3Abedrock%3Aeu%3A1%3Ax%2Fy/converse-stream",
    "https://vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com/model/m~_-./converse",
    "http://127.0.0.1:8123/prefix/model/m/converse?b=2&a=1&c",
    "https://HOST.example:443/model/m/converse",
    "http://[::1]:9000/model/a%20b/converse",
]


def request(url: str = URLS[0], body: bytes = '{"é":1}'.encode(), **headers: str) -> WireRequest:
    return WireRequest(url, {"content-type": "application/json", "accept": "application/json", **headers}, body)


def theirs(made: WireRequest, credentials: AwsCredentials, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The headers that AWS's library adds to the same request at the same time."""
    auth = pytest.importorskip("botocore.auth")
    awsrequest = pytest.importorskip("botocore.awsrequest")
    library = pytest.importorskip("botocore.credentials")
    moment = datetime.fromtimestamp(WALL, UTC)
    if hasattr(auth, "get_current_datetime"):
        monkeypatch.setattr(auth, "get_current_datetime", lambda *_, **__: moment)
    else:  # before 1.36
        monkeypatch.setattr(auth, "datetime", SimpleNamespace(datetime=SimpleNamespace(utcnow=lambda: moment)))
    signed = {name: value for name, value in made.headers.items() if name != "accept"}  # which we do not sign
    found = awsrequest.AWSRequest(method=made.method, url=made.url, headers=signed, data=made.body)
    auth.SigV4Auth(library.Credentials(*credentials), "bedrock", "us-east-1").add_auth(found)
    names = ("Authorization", "X-Amz-Date", "X-Amz-Security-Token")
    return {name.lower(): found.headers[name] for name in names if found.headers[name]}


@pytest.mark.parametrize("credentials", [GIVEN, TEMPORARY], ids=["lasting", "temporary"])
@pytest.mark.parametrize("url", URLS)
def test_the_signature_is_that_of_aws(url: str, credentials: AwsCredentials, monkeypatch: pytest.MonkeyPatch):
    made = request(url, **{"x-amzn-bedrock-trace": "ENABLED  FULL"})
    ours = signature_headers(made, credentials, region="us-east-1", service="bedrock", wall=WALL)
    assert ours == theirs(made, credentials, monkeypatch)


def test_what_is_signed_changes_the_signature():
    def sign(made: WireRequest, wall: float = WALL) -> str:
        return signature_headers(made, GIVEN, region="us-east-1", service="bedrock", wall=wall)["authorization"]

    first = sign(request())
    assert sign(request()) == first
    assert sign(request(accept="text/html", **{"x-team": "t"})) == first  # proxies may change those
    for other in (request(body=b"{}"), request(URLS[1]), request(**{"content-type": "text/plain"})):
        assert sign(other) != first
    assert sign(request(), WALL + 1) != first


def test_nobody_sees_a_secret():
    shown = (
        repr(TEMPORARY)
        + str(TEMPORARY)
        + repr(AwsSigner(GivenCredentials(TEMPORARY), "us-east-1", "bedrock", lambda: WALL))
    )
    assert not any(secret in shown for secret in TEMPORARY if secret)


async def test_a_signer_adds_headers():
    made = request()
    await AwsSigner(GivenCredentials(TEMPORARY), "us-east-1", "bedrock", lambda: WALL)(made)
    assert made.headers["x-amz-date"] == "20260921T141320Z"
    assert made.headers["x-amz-security-token"] == TEMPORARY.session_token
    assert made.headers["authorization"].startswith(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260921/us-east-1/bedrock/"
    )
    assert "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token," in made.headers["authorization"]


async def test_the_callers_own_authorization_stays():
    made = request(authorization="Bearer own")
    await AwsSigner(GivenCredentials(GIVEN), "us-east-1", "bedrock", lambda: WALL)(made)
    assert made.headers["authorization"] == "Bearer own"
    assert "x-amz-date" not in made.headers


# -- the chain ----------------------------------------------------------------------------------------------------


class Library:
    """Stands in for botocore's session and for the credentials it finds, which renew themselves."""

    def __init__(self, *, found: bool = True, expires: bool = True, failure: Exception | None = None) -> None:
        self.found = found
        self.expires = expires
        self.failure = failure
        self.looked_up = 0
        self.renewed = 0
        self.due = True
        self.threads: set[int] = set()
        self.gate = threading.Event()
        self.gate.set()
        if not expires:
            self.refresh_needed: Callable[[], bool] | None = None

    def get_credentials(self) -> Any:
        self.looked_up += 1
        self.threads.add(threading.get_ident())
        if self.failure is not None:
            raise self.failure
        if not self.found:
            return None
        if self.expires:
            return SimpleNamespace(get_frozen_credentials=self.frozen, refresh_needed=lambda: self.due)
        return SimpleNamespace(get_frozen_credentials=self.frozen)

    def frozen(self) -> Any:
        if self.due:
            self.threads.add(threading.get_ident())
            self.gate.wait(5)
            self.renewed += 1
            self.due = False
        return SimpleNamespace(access_key="id", secret_key="secret", token=f"token-{self.renewed}")


async def test_credentials_are_looked_up_once_and_renewed_when_they_expire():
    library = Library()
    chain = CredentialChain(session=lambda: library)
    assert (await chain.current()).session_token == "token-1"
    assert (await chain.current()).session_token == "token-1"
    library.due = True
    assert (await chain.current()).session_token == "token-2"
    assert (library.looked_up, library.renewed) == (1, 2)
    assert threading.get_ident() not in library.threads


async def test_those_who_come_while_they_are_renewed_wait_with_the_others():
    library = Library()
    library.gate.clear()
    chain = CredentialChain(session=lambda: library)
    waiting = [asyncio.ensure_future(chain.current()) for _ in range(20)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    library.gate.set()
    got = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(got[0], asyncio.CancelledError)
    assert {each.session_token for each in got[1:]} == {"token-1"}
    assert library.renewed == 1


async def test_there_are_none():
    chain = CredentialChain(session=lambda: Library(found=False))
    errors = []
    for _ in range(2):
        with pytest.raises(ExecutorError) as caught:
            await chain.current()
        errors.append(caught.value)
    assert errors[0] is not errors[1]
    assert (errors[0].kind, errors[0].code) == (ErrorKind.UNAUTHORIZED, "no_credentials")
    assert "AWS_ACCESS_KEY_ID" in errors[0].message
    assert "BEDROCK_API_KEY" in errors[0].message


async def test_they_cannot_be_had():
    exceptions = pytest.importorskip("botocore.exceptions")
    refused = exceptions.TokenRetrievalError(provider="sso", error_msg="the session has expired")
    far = exceptions.EndpointConnectionError(endpoint_url="http://169.254.169.254")
    for failure, kind in ((refused, ErrorKind.UNAUTHORIZED), (far, ErrorKind.CONNECTION)):
        with pytest.raises(ExecutorError) as caught:
            await CredentialChain(session=lambda failure=failure: Library(failure=failure)).current()
        assert caught.value.kind == kind
        assert caught.value.__cause__ is None


async def test_the_chain_of_aws_itself(tmp_path: Any, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("botocore")
    file = tmp_path / "credentials"
    file.write_text("[team]\naws_access_key_id = FILE\naws_secret_access_key = secret\n")
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(ExecutorError):
        await CredentialChain().current()
    with pytest.raises(ExecutorError) as caught:
        await CredentialChain("nobody").current()
    assert "nobody" in caught.value.message
    assert await CredentialChain("team").current() == AwsCredentials("FILE", "secret")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    assert await CredentialChain().current() == AwsCredentials("ENV", "key", "token")


# -- regions ------------------------------------------------------------------------------------------------------


@pytest.fixture
def nowhere(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """No region is said anywhere; the configuration file, which is not there."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "config"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    return file


def test_where_a_region_is_said(nowhere: Any, monkeypatch: pytest.MonkeyPatch):
    assert usual_region() is None
    nowhere.write_text(
        "[default]\nregion = eu-west-1\n[profile team]\nregion = eu-north-1\n[profile bare]\noutput = json\n"
    )
    assert usual_region() == "eu-west-1"
    assert usual_region("team") == "eu-north-1"
    assert usual_region("bare") is None
    monkeypatch.setenv("AWS_PROFILE", "team")
    assert usual_region() == "eu-north-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-south-1")
    assert usual_region() == "ap-south-1"
    monkeypatch.setenv("AWS_REGION", "sa-east-1")
    assert usual_region("team") == "sa-east-1"


@pytest.mark.parametrize(
    "text", ["no section", "[default\nregion=x", "[default]\nregion = %(x)s\n[default]\nregion = y"]
)
def test_a_configuration_that_cannot_be_read(nowhere: Any, text: str):
    nowhere.write_text(text)
    assert usual_region() in (None, "y")


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://bedrock-runtime.eu-central-1.amazonaws.com", "eu-central-1"),
        ("https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com/x", "us-gov-west-1"),
        ("https://vpce-1a-2b.bedrock-runtime.us-east-2.vpce.amazonaws.com", "us-east-2"),
        ("https://bedrock-runtime.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("https://gateway.example.com/us-east-1.x", None),
        ("http://localhost:8000", None),
    ],
)
def test_the_region_in_a_url(url: str, region: str | None):
    assert region_in(url) == region


def test_where_a_service_is():
    assert host_of("bedrock-runtime", "eu-west-1") == "bedrock-runtime.eu-west-1.amazonaws.com"
    assert host_of("bedrock-runtime", "cn-north-1") == "bedrock-runtime.cn-north-1.amazonaws.com.cn"
