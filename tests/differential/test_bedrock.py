"""Amazon Bedrock's Converse: the package `boto3` and `Bedrock`."""

from __future__ import annotations

import base64
import json
from contextlib import closing
from types import ModuleType
from typing import Any

from tests.differential.agreement import Agreement
from tests.differential.scenarios import Fixed
from tests.differential.sdk import OPTIONS, PROMPT, TOOL, Counts, Failure, Said, Sdk

from lamellar.providers import Bedrock
from lamellar.testing.simulator.wire_bedrock_frames import event

KINDS = {
    "ValidationException": {"invalid_request", "context_overflow", "content_filtered", "model_not_found"},
    "UnrecognizedClientException": {"unauthorized"},
    "AccessDeniedException": {"permission_denied"},
    "ThrottlingException": {"rate_limited", "quota_exhausted"},
    "InternalServerException": {"server_error", "overloaded"},
    "ServiceUnavailableException": {"overloaded"},
}
STREAM = "application/vnd.amazon.eventstream"
KEYS = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}


class BedrockSdk(Sdk):
    package = "boto3"
    dialect = "converse"
    model = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
    cannot = frozenset(
        {
            "another model",  # an answer names none
            "409",  # no exception of Converse has it
        }
    )
    names_answers = False

    def start(self, package: ModuleType, url: str, base_url: str) -> None:
        from botocore.config import Config
        from botocore.exceptions import ClientError

        config = Config(retries={"total_max_attempts": 1})
        session = package.Session(region_name="eu-west-1", **KEYS)
        self.client = session.client("bedrock-runtime", endpoint_url=url, config=config)
        self.errors: Any = ClientError
        tool = {"name": TOOL.name, "description": TOOL.description, "inputSchema": {"json": TOOL.schema}}
        self.asked: dict[str, Any] = {
            "modelId": self.model,
            "messages": [{"role": "user", "content": [{"text": PROMPT}]}],
            "toolConfig": {"tools": [{"toolSpec": tool}]},
            "inferenceConfig": {"maxTokens": OPTIONS.max_tokens},
        }

    def close(self) -> None:
        self.client.close()

    def provider(self, base_url: str) -> Bedrock:
        return Bedrock(base_url=base_url, region="eu-west-1", api_key="k")

    def whole(self) -> Said:
        answer = self.client.converse(**self.asked)
        return said(answer["output"]["message"]["content"], answer["stopReason"], answer.get("usage"))

    def streamed(self) -> Said:
        """The SDK leaves it to its user to put the events together."""
        blocks: dict[int, dict[str, Any]] = {}
        stop = usage = None
        with closing(self.client.converse_stream(**self.asked)["stream"]) as stream:
            for told in stream:
                ((name, payload),) = told.items()
                if name == "contentBlockStart":
                    blocks[payload["contentBlockIndex"]] = {"toolUse": {**payload["start"]["toolUse"], "input": ""}}
                elif name == "contentBlockDelta":
                    grow(blocks.setdefault(payload["contentBlockIndex"], {}), payload["delta"])
                elif name == "messageStop":
                    stop = payload["stopReason"]
                elif name == "metadata":
                    usage = payload.get("usage", usage)
        for call in [block["toolUse"] for block in blocks.values() if "toolUse" in block]:
            call["input"] = json.loads(call["input"] or "{}")
        return said(list(blocks.values()), stop, usage)

    def failure(self, error: Exception) -> Failure:
        if not isinstance(error, self.errors):
            raise error
        told: dict[str, Any] = error.response  # type: ignore[attr-defined]
        code = told["Error"]["Code"]
        status = told.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return Failure(status, frozenset(KINDS[code[0].upper() + code[1:]]))


def grow(block: dict[str, Any], delta: dict[str, Any]) -> None:
    """Add a delta to its block."""
    if "text" in delta:
        block["text"] = block.get("text", "") + delta["text"]
    elif "toolUse" in delta:
        block["toolUse"]["input"] += delta["toolUse"]["input"]
    elif "redactedContent" in delta["reasoningContent"]:
        block["reasoningContent"] = delta["reasoningContent"]
    else:
        told = block.setdefault("reasoningContent", {}).setdefault("reasoningText", {"text": ""})
        told["text"] += delta["reasoningContent"].get("text", "")
        told |= {name: value for name, value in delta["reasoningContent"].items() if name == "signature"}


def said(blocks: list[dict[str, Any]], stop: Any, usage: Any) -> Said:
    thought = [block["reasoningContent"].get("reasoningText", {}) for block in blocks if "reasoningContent" in block]
    calls = [block["toolUse"] for block in blocks if "toolUse" in block]
    return Said(
        "".join(block["text"] for block in blocks if "text" in block),
        "".join(each.get("text", "") for each in thought),
        tuple((call["toolUseId"], call["name"], call["input"]) for call in calls),
        tuple(each["signature"] for each in thought if "signature" in each),
        stop,
        counts(usage),
    )


def counts(usage: Any) -> Counts | None:
    """The prompt is the sum of three counts here."""
    if usage is None:
        return None
    read, written = usage.get("cacheReadInputTokens"), usage.get("cacheWriteInputTokens")
    prompt = usage["inputTokens"] + (read or 0) + (written or 0)
    return Counts(prompt, usage["outputTokens"], usage["totalTokens"], read, written)


def fixed(blocks: list[dict[str, Any]], stop: str, *events: bytes) -> Fixed:
    message = {"role": "assistant", "content": blocks}
    body = {"metrics": {"latencyMs": 5}, "output": {"message": message}, "stopReason": stop, "usage": USAGE}
    stream = [
        event("messageStart", role="assistant"),
        *events,
        event("messageStop", stopReason=stop),
        event("metadata", usage=USAGE, metrics={"latencyMs": 5}),
    ]
    return Fixed(json.dumps(body).encode(), b"".join(stream), STREAM)


def block(index: int, *deltas: dict[str, Any], **start: Any) -> list[bytes]:
    return [
        *([event("contentBlockStart", contentBlockIndex=index, start=start)] if start else []),
        *(event("contentBlockDelta", contentBlockIndex=index, delta=delta) for delta in deltas),
        event("contentBlockStop", contentBlockIndex=index),
    ]


USAGE: dict[str, Any] = {
    "inputTokens": 10,
    "outputTokens": 40,
    "totalTokens": 280,
    "cacheReadInputTokens": 200,
    "cacheWriteInputTokens": 30,
    "cacheDetails": [{"ttl": "5m", "inputTokens": 20}, {"ttl": "1h", "inputTokens": 10}],
}
HIDDEN = {"reasoningContent": {"redactedContent": base64.b64encode(b"opaque \x00\xff").decode()}}
SIGNED = {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}}
OPENED = {"toolUseId": "tooluse_1", "name": "weather"}
CALL = {"toolUse": {**OPENED, "input": {"city": "Orléans", "days": [1, 2]}}}
PIECES = ("", '{"city": "Or', 'léans", "da', 'ys": [1, 2]}')


class TestBedrock(Agreement):
    sdk_class = BedrockSdk
    own = {
        "thinking that is hidden and thinking that is signed": fixed(
            [HIDDEN, SIGNED, {"text": "Yes."}],
            "end_turn",
            *block(0, HIDDEN),
            *block(1, {"reasoningContent": {"text": "Hm."}}, {"reasoningContent": {"signature": "c2ln"}}),
            *block(2, {"text": "Yes"}, {"text": "."}),
        ),
        "text and a call in pieces": fixed(
            [{"text": "Let me see."}, CALL],
            "tool_use",
            *block(0, {"text": "Let me see."}),
            *block(1, *({"toolUse": {"input": piece}} for piece in PIECES), toolUse=OPENED),
        ),
        "a window that is full": fixed(
            [{"text": "On and"}], "model_context_window_exceeded", *block(0, {"text": "On and"})
        ),
        "a guardrail that stepped in": fixed(
            [{"text": "I may not say."}], "guardrail_intervened", *block(0, {"text": "I may not say."})
        ),
    }
