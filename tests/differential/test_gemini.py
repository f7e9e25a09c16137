"""generateContent: the package `google-genai` and `Gemini`."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from tests.differential.agreement import Agreement
from tests.differential.scenarios import Fixed
from tests.differential.sdk import BY_STATUS, OPTIONS, PROMPT, TOOL, Counts, Failure, Said, Sdk

from lamellar.providers import Gemini

KINDS = {**BY_STATUS, 400: frozenset({"invalid_request", "context_overflow", "unauthorized"})}


class GeminiSdk(Sdk):
    package = "google.genai"
    dialect = "gemini"
    model = "gemini-2.5-flash"

    def start(self, package: ModuleType, url: str, base_url: str) -> None:
        options = {"base_url": url, "api_version": "v1beta", "retry_options": {"attempts": 1}}
        self.client = package.Client(api_key="k", vertexai=False, http_options=options)
        self.errors: Any = package.errors.APIError
        function = {"name": TOOL.name, "description": TOOL.description, "parameters_json_schema": TOOL.schema}
        self.asked: dict[str, Any] = {
            "model": self.model,
            "contents": PROMPT,
            "config": {"max_output_tokens": OPTIONS.max_tokens, "tools": [{"function_declarations": [function]}]},
        }

    def close(self) -> None:
        self.client.close()

    def provider(self, base_url: str) -> Gemini:
        return Gemini(base_url=base_url, api_key="k")

    def whole(self) -> Said:
        return said([self.client.models.generate_content(**self.asked)])

    def streamed(self) -> Said:
        return said(self.client.models.generate_content_stream(**self.asked))

    def failure(self, error: Exception) -> Failure:
        if not isinstance(error, self.errors):
            raise error
        code = int(error.code)  # type: ignore[attr-defined]
        return Failure(code, KINDS[code])


def said(payloads: Iterable[Any]) -> Said:
    """The payloads of one answer; the SDK leaves it to its user to put them together."""
    text, reasoning, calls, signatures = "", "", [], []
    stop = usage = model = answer_id = None
    for payload in payloads:
        usage, model = payload.usage_metadata or usage, payload.model_version or model
        answer_id = payload.response_id or answer_id
        for candidate in (payload.candidates or [])[:1]:
            stop = candidate.finish_reason or stop
            for part in (candidate.content and candidate.content.parts) or ():
                if part.thought:
                    reasoning += part.text or ""
                else:
                    text += part.text or ""
                if part.function_call:
                    calls.append((part.function_call.id, part.function_call.name, part.function_call.args or {}))
                if part.thought_signature:
                    signatures.append(base64.b64encode(part.thought_signature).decode())
    return Said(text, reasoning, tuple(calls), tuple(signatures), stop and stop.value, counts(usage), model, answer_id)


def counts(usage: Any) -> Counts | None:
    """The prompt includes what Google's own tools read, the completion what was thought."""
    if usage is None:
        return None
    read, thought, said = usage.tool_use_prompt_token_count, usage.thoughts_token_count, usage.candidates_token_count
    prompt = usage.prompt_token_count
    return Counts(
        prompt if read is None else (prompt or 0) + read,
        said if thought is None else (said or 0) + thought,
        usage.total_token_count,
        usage.cached_content_token_count,
        None,
        thought,
    )


def payload(*parts: dict[str, Any], finish: str | None = None, usage: dict[str, Any] | None = None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    told = {"candidates": [candidate], "modelVersion": "gemini-3-pro", "responseId": "r1"}
    return told if usage is None else {**told, "usageMetadata": usage}


def fixed(parts: list[dict[str, Any]], finish: str, usage: dict[str, Any]) -> Fixed:
    """A whole answer, and the same with a payload for each part."""
    pieces = [payload(part, usage={"promptTokenCount": usage["promptTokenCount"]}) for part in parts]
    pieces.append(payload({"text": ""}, finish=finish, usage=usage))
    events = "".join(f"data: {json.dumps(piece)}\r\n\r\n" for piece in pieces)
    return Fixed(json.dumps(payload(*parts, finish=finish, usage=usage)).encode(), events.encode())


USAGE: dict[str, Any] = {
    "promptTokenCount": 20,
    "toolUsePromptTokenCount": 5,
    "candidatesTokenCount": 10,
    "thoughtsTokenCount": 15,
    "cachedContentTokenCount": 16,
    "totalTokenCount": 50,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 18}, {"modality": "AUDIO", "tokenCount": 2}],
}
CALL = {"name": "weather", "args": {"city": "Rome"}}


class TestGemini(Agreement):
    sdk_class = GeminiSdk
    own = {
        "signatures on calls and on text": fixed(
            [
                {"text": "Hm.", "thought": True},
                {"functionCall": CALL, "thoughtSignature": "c2lnLTE="},
                {"functionCall": {**CALL, "id": "own"}},
                {"text": "Wait.", "thoughtSignature": "c2lnLTI="},
            ],
            "STOP",
            USAGE,
        ),
        "code that was run": fixed(
            [
                {"text": "Let me "},
                {"executableCode": {"language": "PYTHON", "code": "6 * 9"}},
                {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "54\n"}},
                {"text": "count."},
            ],
            "STOP",
            USAGE,
        ),
        "too many calls of tools": fixed([{"text": "I was"}], "TOO_MANY_TOOL_CALLS", USAGE),
    }
