"""Keeping secrets out of everything that is shown: messages, reprs, log lines, spans, cassettes."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["MASK", "is_secret_name", "masked", "on_one_line", "scrub", "secret_spans", "show"]

MASK = "**********"

_SHAPES = (
    # a header's or an option's value, whatever it looks like; in prose ("api key: ...") only what has a digit
    r"(?P<field>\b(?:authorization|set-cookie|x-auth-token|(?:[\w\-]{1,20}-)?api-key)[\"']?\s*[:=]\s*[\"']?"
    r"(?:(?:bearer|basic|token)\s+)?)[^\s\"',;&*{]{4,}"
    r"|(?P<option>\bapi_?key(?:[\"']\s*:\s*[\"']|\s*=\s*[\"']?))[^\s\"',;&*{]{4,}"
    r"|(?P<prose>\bapi[-_ ]?key(?: provided)?\s*[:=]\s*[\"']?)(?=[^\s\"',;&*{]*\d)[^\s\"',;&*{]{4,}"
    # a scheme and its token; "bearer authentication failed" has none
    r"|(?P<scheme>\b(?:bearer|basic)\s+)(?=[\w\-.~+/]*(?:\d|=)|[\w\-.~+/]{20})[\w\-.~+/]{6,}=*"
    r"|(?P<query>[?&](?:[\w\-.]*[-_])?(?:key|apikey|token|accesstoken|sig|signature|secret|password|credential)=)[^&\s\"']+"
    r"|(?P<user>\b[a-z][\w+.\-]{0,20}://)[^\s/@\"']+(?=@)"
    r"|\bsk-[\w\-]{8,}"
    r"|\b(?:sk|rk|pk|gsk|xai|csk|pplx|nvapi|fw|r8|hf|ghp|gho|github_pat)[-_](?=[\w\-]*\d)[\w\-]{8,}"
    r"|(?-i:\bAIza[\w\-]{20,}|\bya29\.[\w\-]{10,}|\bA(?:K|S)IA[A-Z0-9]{12,}|\beyJ[\w\-]{8,}\.[\w\-]+(?:\.[\w\-]*)?)"
)
_HUSHED = r"authorization|(?:api-?|[-_]|^)key$|token$|secret|cookie|password|credential"
_OPAQUE = r"(?=[\w\-+/=]*\d)(?=[\w\-+/=]*[A-Za-z])[\w\-+/=]{20,}"


def scrub(text: str, *known: str) -> str:
    """`text` without secrets: the `known` ones, and whatever looks like a key, a bearer token or a signed query."""
    for secret in known:
        if len(secret) >= 4:
            text = text.replace(secret, MASK)
    return re.sub(_SHAPES, _replace, text, flags=re.IGNORECASE)  # compiled when first needed, and kept by `re`


def secret_spans(text: str) -> Iterator[tuple[int, int]]:
    """Where in `text` something looks like a key, a bearer token or a signed query: begin and end of each, in order."""
    for match in re.finditer(_SHAPES, text, flags=re.IGNORECASE):
        yield (match.end(match.lastgroup) if match.lastgroup else match.start()), match.end()


def _replace(match: re.Match[str]) -> str:
    return (match[match.lastgroup] if match.lastgroup else "") + MASK


def masked(value: object) -> object:
    """`value` as a repr may show it: text scrubbed, and of a mapping such as headers, what a secret name holds."""
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, dict):
        return {name: MASK if _is_secret(name, each) else masked(each) for name, each in value.items()}
    return value


def is_secret_name(name: object) -> bool:
    """Whether a header or option of this name holds a credential."""
    return isinstance(name, str) and re.search(_HUSHED, name, re.IGNORECASE) is not None


def _is_secret(name: object, value: object) -> bool:
    return isinstance(value, str) and is_secret_name(name)


def on_one_line(text: str) -> str:
    """`text` with control characters and line breaks as escapes: a name can neither break a line nor move a cursor."""
    if text.isprintable():
        return text
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]", _escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return repr(match[0])[1:-1]


def show(value: object) -> str:
    """A wrong value, as an error may show it: its type, and what it is where that is short and no secret."""
    if value is None:
        return "nothing"
    if isinstance(value, bool | int | float):
        return f"{type(value).__name__} {value!r}"
    if isinstance(value, str):
        text = re.sub(_OPAQUE, MASK, scrub(value[:200]))
        return f"str {text if len(text) <= 40 else text[:37] + '...'!r}"
    return type(value).__name__
