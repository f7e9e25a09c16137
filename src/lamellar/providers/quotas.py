"""Which of Google's quotas is exhausted: a limit per minute passes by waiting, one per day does not.

Both come as a 429 `RESOURCE_EXHAUSTED` with the same words and often the same hint when to come back; only the
`QuotaFailure` among the details tells them apart (https://ai.google.dev/gemini-api/docs/rate-limits).
"""

from __future__ import annotations

__all__ = ["is_daily_quota"]


def is_daily_quota(body: object) -> bool:
    """Whether an error's parsed body names a quota per day among those that are exhausted."""
    if isinstance(body, list) and body:
        body = body[0]
    error = body.get("error") if isinstance(body, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    for detail in details if isinstance(details, list) else ():
        violations = detail.get("violations") if isinstance(detail, dict) else None
        for violation in violations if isinstance(violations, list) else ():
            quota = violation.get("quotaId") if isinstance(violation, dict) else None
            if isinstance(quota, str) and "perday" in quota.lower():
                return True
    return False
