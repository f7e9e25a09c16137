"""Lines of JSON out of bytes in whatever pieces they arrive."""

from __future__ import annotations

import random

import pytest

from lamellar.providers.ndjson import NDJSONDecoder

LINES = [b'{"a": 1}', '{"b": "sö 🗼"}'.encode(), b'{"c": "' + b"x" * 5000 + b'"}', b"[]"]


def decoded(data: bytes, steps: list[int]) -> list[bytes]:
    decoder = NDJSONDecoder()
    found, at = [], 0
    while at < len(data):
        step = steps.pop(0) if steps else len(data)
        found += decoder.feed(data[at : at + step])
        at += step
    found += decoder.finish()
    assert not decoder.overflow
    assert all(name is None for name, _ in found)
    return [line.strip() for _, line in found]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n\n", b" \t\n \n"])
@pytest.mark.parametrize("seed", range(8))
def test_lines(end: bytes, seed: int):
    dice = random.Random(seed)
    data = end.join(LINES)
    steps = [dice.randint(1, 40) for _ in range(len(data))]
    assert decoded(data, list(steps)) == LINES
    assert decoded(data + end, list(steps)) == LINES
    assert decoded(b"\xef\xbb\xbf" + data + end, list(steps)) == LINES
    assert decoded(data, [1] * len(data)) == LINES


@pytest.mark.parametrize("data", [b"", b"\n", b" \r\n\n", b"\xef\xbb\xbf\n"])
def test_nothing(data: bytes):
    assert decoded(data, [1] * len(data)) == []


def test_a_rest_that_is_no_json_is_no_line():
    assert decoded(b'{"a": 1}\n<html>', []) == [b'{"a": 1}']
    assert decoded(b"<html>", []) == []
    assert decoded(b"  {", []) == [b"{"]


def test_a_line_is_bounded_however_it_comes():
    whole = NDJSONDecoder(max_event_bytes=10)
    assert whole.feed(b"{}\n" + b"x" * 11 + b"\n{}\n") == [(None, b"{}")]
    trickled = NDJSONDecoder(max_event_bytes=10)
    assert [trickled.feed(b"x" * 4) for _ in range(3)] == [[], [], []]
    for decoder in (whole, trickled):
        assert decoder.overflow
        assert decoder.feed(b"{}\n") == []
        assert decoder.finish() == []
    exact = NDJSONDecoder(max_event_bytes=10)
    assert exact.feed(b"x" * 10 + b"\n") == [(None, b"x" * 10)]
