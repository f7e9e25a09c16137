"""Which kind of failure a provider's error is: one table for all dialects, with and without a status.

Status and code come first, phrases after them. An error that arrives in-band, under HTTP 200, goes through the same
function; a code that is a number (OpenRouter's) then counts as the status.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ..errors import ErrorKind, ExecutorError
from ..secrets import scrub
from .hints import header, retry_after, should_retry, wall_of
from .phrases import GOOGLE_QUOTA, MISSING_MODEL, NO_MODEL_AT_404, QUOTA, says_content_filter, says_context_overflow
from .quotas import is_daily_quota

__all__ = ["MESSAGE_LIMIT", "classify", "clean", "provider_error", "request_id", "unsupported"]

MESSAGE_LIMIT = 1000
"""Characters of a provider's message that are kept."""

_BODY_LIMIT = 20000
"""Characters of a message that are looked at; a secret must not be cut in two before it is found."""

_ID_LIMIT = 4000
"""The same of a request's id, of which 200 characters are kept."""


def _words(kind: ErrorKind, words: str) -> dict[str, ErrorKind]:
    return dict.fromkeys(words.split(), kind)


_DECISIVE: dict[str, ErrorKind] = {
    **_words(
        ErrorKind.CONTEXT_OVERFLOW,
        "contextlengthexceeded stringabovemaxlength modelcontextwindowexceeded contextwindowexceeded promptoolong"
        " prompttoolong tokenslimitreached exceedcontextsizeerror contextlengthexceedederror contextwindowexceedederror"
        " inputtoolong maxcontextlengthexceeded",
    ),
    **_words(
        ErrorKind.CONTENT_FILTERED,
        "contentfilter contentfiltered contentpolicyviolation responsibleaipolicyviolation safety moderationblocked"
        " datainspectionfailed prohibitedcontent imagesafety recitation blocklist spii sensitivewordsdetected"
        " contentfiltererror safetycheck promptblocked contentmoderation contentpolicyviolationerror"
        " imagecontentpolicyviolation",
    ),
    **_words(
        ErrorKind.QUOTA_EXHAUSTED,
        "insufficientquota billinghardlimitreached billingnotactive insufficientbalance arrearage billingerror"
        " exceededcurrentquotaerror insufficientuserquota paymentrequired insufficientcredits outofcredits"
        " insufficientbalanceerror servicequotaexceededexception spendlimitexceeded",
    ),
    **_words(
        ErrorKind.OVERLOADED,
        "overloadederror overloaded engineoverloaded engineoverloadederror serveroverloaded modeloverloaded"
        " unavailable serviceunavailable serviceunavailableerror serviceunavailableexception modelnotreadyexception"
        " slowdown capacityexceeded servertoobusy serverisoverloaded servicetiercapacityexceeded flexcapacityexceeded",
    ),
    **_words(
        ErrorKind.RATE_LIMITED,
        "ratelimitexceeded ratelimiterror ratelimited ratelimit toomanyrequests resourceexhausted throttling"
        " throttlingexception ratelimitreached ratelimitreachederror rpmlimitexceeded tpmlimitexceeded requestthrottled"
        " ratelimitedexception tokensperminutelimitexceeded",
    ),
    **_words(
        ErrorKind.MODEL_NOT_FOUND,
        "modelnotfound modelnotexist modelnotfounderror deploymentnotfound invalidmodel unknownmodel"
        " modelnotavailable modelnotfoundexception modelunavailable modeldoesnotexist invalidmodelerror"
        " modelnotsupported publishermodelnotfound",
    ),
    **_words(
        ErrorKind.UNAUTHORIZED,
        "invalidapikey authenticationerror unauthenticated invalidauthenticationerror unauthorized apikeyinvalid"
        " invalidauthentication incorrectapikey missingapikey expiredapikey unrecognizedclientexception"
        " invalidtokenexception expiredtokenexception accountdeactivated",
    ),
    **_words(
        ErrorKind.PERMISSION_DENIED,
        "permissiondenied permissionerror forbidden accessdenied accessdeniedexception"
        " unsupportedcountryregionterritory permissiondeniederror insufficientpermissions",
    ),
    **_words(ErrorKind.TIMEOUT, "timeouterror deadlineexceeded gatewaytimeout modeltimeoutexception upstreamtimeout"),
}
"""Codes and types that say what it is whatever the status, in lower case and without separators."""

_BY_WORD: dict[str, ErrorKind] = {
    **_words(
        ErrorKind.INVALID_REQUEST,
        "invalidrequesterror invalidrequest invalidargument badrequest badrequesterror validationexception"
        " validationerror failedprecondition invalidparametererror unprocessableentity invalidvalue unsupportedvalue"
        " unsupportedparameter tooluseerror toolusefailed jsonvalidatefailed requesttoolarge invalidprompt"
        " invalidimage invalidimageformat invalidbase64image invalidimageurl invalidimagemode imagetoolarge"
        " imagetoosmall imageparseerror imagefiletoolarge imagefilenotfound unsupportedimagemediatype emptyimagefile"
        " failedtodownloadimage",
    ),
    **_words(ErrorKind.MODEL_NOT_FOUND, "notfounderror notfound resourcenotfoundexception"),
}
"""Words that decide only where there is no status: in-band."""

_BY_STATUS: dict[int, ErrorKind] = {
    401: ErrorKind.UNAUTHORIZED,
    402: ErrorKind.QUOTA_EXHAUSTED,
    403: ErrorKind.PERMISSION_DENIED,
    408: ErrorKind.SERVER_ERROR,
    409: ErrorKind.SERVER_ERROR,
    425: ErrorKind.SERVER_ERROR,
    429: ErrorKind.RATE_LIMITED,
    498: ErrorKind.OVERLOADED,  # Groq: the flex tier is full
    503: ErrorKind.OVERLOADED,
    504: ErrorKind.TIMEOUT,
    524: ErrorKind.TIMEOUT,  # a proxy gave up waiting for the provider
    529: ErrorKind.OVERLOADED,
}

_ZHIPU = {
    "1000": ErrorKind.UNAUTHORIZED,
    "1001": ErrorKind.UNAUTHORIZED,
    "1002": ErrorKind.UNAUTHORIZED,
    "1003": ErrorKind.UNAUTHORIZED,
    "1113": ErrorKind.QUOTA_EXHAUSTED,
    "1211": ErrorKind.MODEL_NOT_FOUND,
    "1261": ErrorKind.CONTEXT_OVERFLOW,
    "1301": ErrorKind.CONTENT_FILTERED,
    "1302": ErrorKind.RATE_LIMITED,
    "1303": ErrorKind.RATE_LIMITED,
    "1305": ErrorKind.OVERLOADED,
}
_OWN_CODES: dict[str, dict[str, ErrorKind]] = {"zai": _ZHIPU, "bigmodel": _ZHIPU}
"""Codes that mean something at one provider only."""

_ABOVE_STATUS = frozenset({ErrorKind.CONTEXT_OVERFLOW, ErrorKind.CONTENT_FILTERED, ErrorKind.QUOTA_EXHAUSTED})
"""Kinds that a code decides whatever else is said, and that no retry mends."""

_SEPARATORS = re.compile(r"[^a-z0-9]")
_BAD_KEY = re.compile(
    r"(?:incorrect|invalid) api[ _-]?key|api[ _-]?key (?:not valid|is invalid|not found|expired)"
    r"|organization has been disabled"
)
_INPUT_STATUSES = frozenset({400, 403, 413, 422})
_GOOGLE = frozenset({"gemini", "vertex"})


def classify(status: int | None, code: str | int | None, type_: str | None, message: str, provider: str) -> ErrorKind:
    """The kind of an error.

    Args:
        status: The HTTP status; 200 or None for an error in-band.
        code: The provider's own code.
        type_: The provider's own type.
        message: What the provider said.
        provider: The provider's namespace, for its own phrases.
    """
    if status is None or status < 300:
        status = _as_status(code)
    words = [_SEPARATORS.sub("", str(word).lower()) for word in (code, type_) if word not in (None, "")]
    text = message[:_BODY_LIMIT].lower()
    own = _OWN_CODES.get(provider, {})
    kind = next((found for word in words if (found := own.get(word) or _DECISIVE.get(word))), None)

    if kind is not None and kind in _ABOVE_STATUS:
        return kind
    if status == 402 or ((status in (400, 403, 429) or status is None) and _is_quota(text, status, provider)):
        return ErrorKind.QUOTA_EXHAUSTED
    if (status is None or status in _INPUT_STATUSES) and kind not in (ErrorKind.OVERLOADED, ErrorKind.UNAUTHORIZED):
        # A request over a limit per minute that no wait can serve is told as a 413 by Groq: its phrase, not its code.
        if (kind is not ErrorKind.RATE_LIMITED or status == 413) and says_context_overflow(text, provider):
            return ErrorKind.CONTEXT_OVERFLOW
        if says_content_filter(text, provider):
            return ErrorKind.CONTENT_FILTERED
    if kind is not None:
        return kind
    if status is None:
        found = next((_BY_WORD[word] for word in words if word in _BY_WORD), None)
        if found is ErrorKind.INVALID_REQUEST and MISSING_MODEL.search(text):
            return ErrorKind.MODEL_NOT_FOUND
        return found or ErrorKind.SERVER_ERROR
    return _by_status(status, text)


def _by_status(status: int, text: str) -> ErrorKind:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= 500:
        return ErrorKind.SERVER_ERROR
    if status == 404:
        return ErrorKind.MODEL_NOT_FOUND if NO_MODEL_AT_404.search(text) else ErrorKind.INVALID_REQUEST
    if status in (400, 422):
        if _BAD_KEY.search(text):
            return ErrorKind.UNAUTHORIZED
        if MISSING_MODEL.search(text):
            return ErrorKind.MODEL_NOT_FOUND
    return ErrorKind.INVALID_REQUEST


def _is_quota(text: str, status: int | None, provider: str) -> bool:
    if not QUOTA.search(text):
        return False
    return not (provider in _GOOGLE and status != 402 and GOOGLE_QUOTA.search(text))


def _as_status(code: str | int | None) -> int | None:
    if isinstance(code, str):
        code = int(code) if code.isascii() and code.isdigit() and len(code) == 3 else None
    return code if isinstance(code, int) and 400 <= code < 600 else None


def clean(message: str, *known: str) -> str:
    """`message` without secrets, and no longer than is useful."""
    message = scrub(message[:_BODY_LIMIT].strip(), *known)
    return message if len(message) <= MESSAGE_LIMIT else message[: MESSAGE_LIMIT - 1] + "…"


def request_id(headers: Mapping[str, str], secrets: Iterable[str] = ()) -> str | None:
    """The provider's id of the request, whichever header carries it.

    Args:
        headers: The response's headers.
        secrets: What must not be in it.
    """
    for name in ("x-request-id", "request-id", "x-amzn-requestid", "apim-request-id", "x-goog-request-id", "cf-ray"):
        if value := header(headers, name):
            return scrub(value[:_ID_LIMIT], *secrets)[:200]
    return None


def provider_error(
    *,
    provider: str,
    model: str,
    status: int | None,
    headers: Mapping[str, str],
    message: str,
    code: str | int | None = None,
    type_: str | None = None,
    kind: ErrorKind | None = None,
    body: object = None,
    cause: str | int | None = None,
    in_band_status: int | None = None,
    wall: float | None = None,
    secrets: Iterable[str] = (),
) -> ExecutorError:
    """An error of a provider, classified, scrubbed, and with its hints.

    Args:
        provider: The provider's namespace.
        model: The model that was asked.
        status: The HTTP status; an in-band error keeps its 200.
        headers: The response's headers.
        message: What the provider said.
        code: The provider's own code, kept as text.
        type_: The provider's own type.
        kind: The kind, where the dialect knows it without the table.
        body: The parsed body, for the hints in it.
        cause: A code that says more than `code` does (Azure's inner error, OpenRouter's upstream).
        in_band_status: A status that an in-band error tells beside its code (Groq).
        wall: The time since the epoch; without it the response's own `date` is used for hints that are dates.
        secrets: What must not be in it.
    """
    if status is not None and status >= 300:
        told: int | None = status
    else:
        told = _as_status(in_band_status) or _as_status(code)
    if kind is None:
        kind = classify(told, code if cause is None else cause, type_, message, provider)
        if kind is ErrorKind.RATE_LIMITED and is_daily_quota(body):
            kind = ErrorKind.QUOTA_EXHAUSTED
    now = wall if wall is not None else wall_of(headers)
    retryable: bool | None = should_retry(headers)
    if retryable and kind in _ABOVE_STATUS:
        retryable = None  # it never helps, whatever the header says
    return ExecutorError(
        kind,
        clean(message, *secrets) or f"the provider gave no message (status {status})",
        provider=provider,
        model=model,
        status=status,
        code=None if code is None else clean(str(code), *secrets)[:100],
        retry_after=retry_after(headers, body, now, status=told),
        request_id=request_id(headers, secrets),
        retryable=retryable,
    )


def unsupported(
    field: str, found: object, mend: str, *, provider: str, model: str, code: str = "unsupported", failover: bool = True
) -> ExecutorError:
    """The error for what a dialect cannot say.

    Args:
        field: The field of the request or the options, such as ``messages[2].content[0]``.
        found: What stands there; its type is named, its value is not, for it may hold anything.
        mend: What would be right.
        provider: The provider's namespace.
        model: The model that was asked.
        code: The error's code.
        failover: Whether another target may be able to say it.
    """
    if isinstance(found, tuple | list) and not found:
        problem = "empty"
    else:
        short = isinstance(found, int | float) or (isinstance(found, str) and len(found) <= 20)
        problem = f"{type(found).__name__}{f' {found!r}' if short else ''} cannot be sent to this provider"
    return ExecutorError(
        ErrorKind.INVALID_REQUEST,
        f"{field}: {problem}; {mend}",
        provider=provider,
        model=model,
        code=code,
        failover=failover,
    )
