"""The sixteen faults of the failover yardstick, each as the simulator plays it to a plain client."""

import httpx
import pytest
from tests.testing.simulator_client import BODY, ask

from lamellar.testing.simulator import (
    Answer,
    Cut,
    Garbage,
    NoDone,
    ProviderSimulator,
    Reset,
    Silence,
    Stall,
    content_policy,
    context_overflow,
    overloaded,
    rate_limited,
    refuses_prefill,
    server_error,
    until,
)

SIXTY = Answer("".join(f" token{number}" for number in range(60)))


@pytest.mark.parametrize(
    ("fault", "statuses"),
    [
        pytest.param([rate_limited(retry_after=2)], [429, 200], id="S01"),
        pytest.param(rate_limited(), [429, 429, 429], id="S02"),
        pytest.param([server_error()], [500, 200], id="S03"),
        pytest.param(overloaded(), [503, 503, 503], id="S04"),
        pytest.param([Reset()], [0, 200], id="S05"),
        pytest.param(Silence(120), [0], id="S06"),
        pytest.param(Answer(first_chunk_delay=20), [200], id="S07"),
        pytest.param([Cut(SIXTY, after=40)], [200, 200], id="S08"),
        pytest.param([Stall(SIXTY, after=20, seconds=30, then="close")], [200, 200], id="S09"),
        pytest.param([Garbage(SIXTY, at=10)], [200, 200], id="S10"),
        pytest.param(NoDone(SIXTY, "hold"), [200], id="S11"),
        pytest.param(context_overflow(), [400, 400], id="S12"),
        pytest.param(content_policy(), [400, 400], id="S13"),
        pytest.param(overloaded(), [503], id="S16"),
    ],
)
def test_a_fault_of_the_primary(fault, statuses):
    with ProviderSimulator(rules={"primary": fault, "fallback": Answer("from the fallback")}) as simulator:
        assert [ask(simulator, stream=True, model="primary", timeout=0.25).status for _ in statuses] == statuses
        seen = ask(simulator, stream=True, usage=True, model="fallback")
        assert (seen.text, seen.finish, seen.done) == ("from the fallback", "stop", True)
        assert seen.usage["completion_tokens"] == 3


def test_s07_the_headers_come_at_once():
    with ProviderSimulator(Answer(first_chunk_delay=20)) as simulator:
        seen = ask(simulator, stream=True, timeout=0.25)
        assert isinstance(seen.error, httpx.ReadTimeout)
        assert [delta.get("role") for delta in seen.deltas] == ["assistant"]
        simulator.wait_for(lambda s: s.last_request.outcome == "client_left")


def test_s08_and_s09_give_what_they_gave():
    with ProviderSimulator([Cut(SIXTY, after=40), Stall(SIXTY, after=20, seconds=0.01, then="close")]) as simulator:
        for tokens in (40, 20):
            seen = ask(simulator, stream=True)
            assert seen.text.split() == [f"token{number}" for number in range(tokens)]
            assert isinstance(seen.error, httpx.RemoteProtocolError)


def test_s14_a_fallback_that_refuses_a_prefill():
    rules = {"primary": Cut(SIXTY, after=40), "fallback": refuses_prefill(SIXTY)}
    with ProviderSimulator(rules=rules) as simulator:
        partial = ask(simulator, stream=True, model="primary").text
        messages = [*BODY["messages"], {"role": "assistant", "content": partial}]
        assert ask(simulator, stream=True, model="fallback", messages=messages).status == 400
        assert ask(simulator, stream=True, model="fallback").text == SIXTY.text


def test_s15_an_outage_of_sixty_seconds():
    now = [0.0]
    with ProviderSimulator(rules={"primary": until(60, overloaded())}, now=lambda: now[0]) as simulator:
        statuses = []
        for _ in range(20):
            statuses.append(ask(simulator, model="primary").status)
            now[0] += 4
        assert statuses == [503] * 15 + [200] * 5
