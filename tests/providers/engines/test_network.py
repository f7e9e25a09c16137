"""Proxies and TLS: the same options mean the same on either engine."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme
from tests.providers.engines import servers
from tests.providers.engines.support import OWN, call, own_engine

from lamellar.errors import ConfigError, ErrorKind, ExecutorError
from lamellar.providers.engines import NetworkOptions
from lamellar.providers.engines.network import ProxyRules


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


async def called(kind: str, url: str, options: NetworkOptions) -> bytes:
    engine = own_engine(kind, options)
    try:
        return await call(engine, url)
    finally:
        await engine.aclose()


@pytest.mark.parametrize("kind", OWN)
async def test_a_ca_bundle(kind: str, server_tls: ssl.SSLContext, bundle: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with servers.serve(servers.reply(), server_tls) as server:
        assert await called(kind, server.url, NetworkOptions(ca_bundle=bundle)) == b"{}"
        assert await called(kind, server.url, NetworkOptions(verify=False)) == b"{}"
        monkeypatch.setenv("SSL_CERT_FILE", bundle)
        assert await called(kind, server.url, NetworkOptions()) == b"{}"
        with pytest.raises(ExecutorError) as caught:
            await called(kind, server.url, NetworkOptions(trust_env=False))
        assert caught.value.code == "tls"
        assert "certificate" in caught.value.message


@pytest.mark.parametrize("kind", OWN)
async def test_a_client_certificate(
    kind: str, authority: trustme.CA, server_tls: ssl.SSLContext, bundle: str, tmp_path: Path
) -> None:
    mine = authority.issue_cert("me@example.org")
    cert, key, both = tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "both.pem"
    mine.cert_chain_pems[0].write_to_path(cert)
    mine.private_key_pem.write_to_path(key)
    mine.private_key_and_cert_chain_pem.write_to_path(both)
    server_tls.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(server_tls)
    async with servers.serve(servers.reply(), server_tls) as server:
        for client_cert in (str(both), (str(cert), str(key))):
            assert await called(kind, server.url, NetworkOptions(ca_bundle=bundle, client_cert=client_cert)) == b"{}"
        with pytest.raises(ExecutorError) as caught:
            await called(kind, server.url, NetworkOptions(ca_bundle=bundle))
        assert caught.value.kind is ErrorKind.CONNECTION


@pytest.mark.parametrize("kind", OWN)
async def test_certificates_that_are_none(kind: str, tmp_path: Path) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("no certificate")
    for options in (NetworkOptions(ca_bundle=str(junk)), NetworkOptions(client_cert=str(junk))):
        with pytest.raises(ConfigError, match=r"junk\.pem cannot be used"):
            await called(kind, "https://127.0.0.1:1/", options)


@pytest.mark.parametrize("kind", OWN)
async def test_an_explicit_proxy(kind: str, server_tls: ssl.SSLContext, bundle: str) -> None:
    seen: list[str] = []
    async with (
        servers.serve(servers.reply()) as plain,
        servers.serve(servers.reply(), server_tls) as secure,
        servers.serve(servers.proxy_handler(seen)) as proxy,
    ):
        options = NetworkOptions(proxy=f"http://user:pass%21word@127.0.0.1:{proxy.port}", ca_bundle=bundle)
        assert await called(kind, plain.url, options) == b"{}"
        assert await called(kind, secure.url, options) == b"{}"
        credentials = "proxy-authorization: basic dxnlcjpwyxnzixdvcmq="  # user:pass!word
        assert seen[0].startswith(f"POST {plain.url} HTTP/1.1")
        assert seen[1].startswith(f"CONNECT 127.0.0.1:{secure.port} HTTP/1.1")
        assert all(credentials in line.lower() for line in seen)


@pytest.mark.parametrize("kind", OWN)
async def test_a_proxy_from_the_environment(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    async with servers.serve(servers.reply()) as server, servers.serve(servers.proxy_handler(seen)) as proxy:
        for name, value in (("HTTP_PROXY", f"127.0.0.1:{proxy.port}"), ("ALL_PROXY", f"http://127.0.0.1:{proxy.port}")):
            monkeypatch.setenv(name, value)
            await called(kind, server.url, NetworkOptions())
            assert len(seen) == 1
            await called(kind, server.url, NetworkOptions(trust_env=False))
            monkeypatch.setenv("NO_PROXY", f"example.com,127.0.0.1:{server.port}")
            await called(kind, server.url, NetworkOptions())
            assert len(seen) == 1
            monkeypatch.delenv("NO_PROXY")
            monkeypatch.delenv(name)
            seen.clear()


@pytest.mark.parametrize("kind", OWN)
@pytest.mark.parametrize("url", ["http://[::1/v1", "http://host:port/v1"])
async def test_what_is_no_url_is_told_so_beside_a_proxy(kind: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "example.com")
    with pytest.raises(ExecutorError) as caught:
        await called(kind, url, NetworkOptions())
    assert caught.value.kind is ErrorKind.INVALID_REQUEST


@pytest.mark.parametrize("kind", OWN)
async def test_a_proxy_that_will_not(kind: str) -> None:
    async with servers.serve(servers.proxy_handler([], "407 Proxy Authentication Required")) as proxy:
        with pytest.raises(ExecutorError) as caught:
            await called(kind, "https://127.0.0.1:9/", NetworkOptions(proxy=f"http://u:secret@127.0.0.1:{proxy.port}"))
        assert (caught.value.kind, caught.value.code) == (ErrorKind.CONNECTION, "proxy")
        assert "407" in caught.value.message
        assert "secret" not in caught.value.message
    with pytest.raises(ExecutorError) as caught:
        await called(kind, "http://127.0.0.1:9/", NetworkOptions(proxy=f"http://127.0.0.1:{servers.closed_port()}"))
    assert caught.value.code == "refused"
    assert "through the proxy 127.0.0.1:" in caught.value.message


@pytest.mark.parametrize(
    ("no_proxy", "authority", "direct"),
    [
        ("example.com", "example.com", True),
        ("example.com", "api.example.com", True),
        (".example.com", "api.example.com:8080", True),
        ("*.example.com", "api.example.com", True),
        ("example.com", "notexample.com", False),
        ("example.com:8080", "example.com:8080", True),
        ("example.com:8080", "example.com", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("::1", "[::1]:80", True),
        ("127.0.0.1", "127.0.0.1:80", True),
        ("*", "anything", True),
        ("", "anything", False),
        ("/8,other", "10.0.0.1", False),
    ],
)
def test_no_proxy(no_proxy: str, authority: str, direct: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "proxy:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    rules = ProxyRules(NetworkOptions())
    for _ in range(2):
        assert rules.find("http", authority) == (None if direct else "http://proxy:3128")


@pytest.mark.parametrize("proxy", ["ftp://host", "http://", "http://host:port"])
def test_what_is_no_proxy(proxy: str) -> None:
    with pytest.raises(ConfigError, match="proxy"):
        ProxyRules(NetworkOptions(proxy=proxy))


def test_options_say_what_is_wrong() -> None:
    for wrong in (
        {"max_connections": 0},
        {"keepalive": -1.0},
        {"read_limit": 0},
        {"ca_bundle": "/no/such/file"},
        {"client_cert": ("/no/such/file", "/nor/this")},
    ):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            NetworkOptions(**wrong)  # type: ignore[arg-type]


def test_the_repr_masks_credentials() -> None:
    for proxy in ("http://user:s3cret@host:1", "user:s3cret@host:1"):
        shown = repr(NetworkOptions(proxy=proxy))
        assert "s3cret" not in shown
        assert "host:1" in shown
        assert "max_connections=1000" in shown
