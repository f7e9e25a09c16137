import asyncio

import pytest
from acme_plates import QuotaHeader

from lamellar import CallContext, ChatOptions, ChatRequest, ConfigError, Stack
from lamellar.testing import ScriptedExecutor

REQUEST = ChatRequest.from_user("hi")


def sent(layer, options):
    """The headers that reach the provider."""
    leaf = ScriptedExecutor("Hello.")

    async def main():
        async with Stack(layer, leaf).build() as executor:
            await executor.exec_chat_response("m", REQUEST, options)

    asyncio.run(main())
    found = leaf.calls[0].options
    return found.extra_headers if found else None


def of_team(name, **options):
    return ChatOptions(call=CallContext(tags={"team": name}), **options)


def test_the_tag_is_sent_and_other_headers_and_options_stand():
    given = of_team("search", extra_headers={"X-Trace": "1"}, temperature=0)
    assert sent(QuotaHeader(), given) == {"X-Trace": "1", "X-Quota-Owner": "search"}
    assert given.extra_headers == {"X-Trace": "1"}


def test_a_call_without_the_tag_has_the_default_or_no_header():
    assert sent(QuotaHeader(), None) is None
    assert sent(QuotaHeader(default="unknown"), None) == {"X-Quota-Owner": "unknown"}


def test_a_header_that_the_caller_has_set_stands():
    assert sent(QuotaHeader(), of_team("search", extra_headers={"x-quota-owner": "ads"})) == {"x-quota-owner": "ads"}


def test_a_tag_that_is_no_header_is_refused():
    with pytest.raises(ConfigError, match="line break"):
        sent(QuotaHeader(), of_team("search\r\nX-Admin: yes"))


def test_streams_pass_through_it_too():
    leaf = ScriptedExecutor("Hello.")

    async def main():
        async with Stack(QuotaHeader(), leaf).build() as executor:
            return await (await executor.exec_chat_stream_events("m", REQUEST, of_team("search"))).collect()

    assert asyncio.run(main()).text == "Hello."
    assert leaf.calls[0].options.extra_headers == {"X-Quota-Owner": "search"}


def test_a_file_can_name_it():
    stack = Stack.loads("layers: [quota_header: {tag: project, header: X-Project}]\nexecutor: openai")
    assert stack.layers == (QuotaHeader(tag="project", header="X-Project"),)
    assert Stack.loads(stack.dump()) == stack
