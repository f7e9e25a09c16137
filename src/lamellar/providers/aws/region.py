"""Which of AWS's regions is meant, and where a service is there."""

from __future__ import annotations

import os
import re
from configparser import ConfigParser
from configparser import Error as ConfigParserError
from pathlib import Path

__all__ = ["host_of", "region_in", "usual_region"]

_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
_REGION = re.compile(r"(?:^|[.-])([a-z]{2,3}(?:-[a-z]+)+-\d+)(?=\.)")


def usual_region(profile: str | None = None) -> str | None:
    """The region that the environment says, then the profile in AWS's configuration file; None where nobody says one.

    Args:
        profile: The profile; by default `AWS_PROFILE`, then the one called ``default``.
    """
    for variable in _VARIABLES:
        if found := os.environ.get(variable):
            return found
    path = Path(os.environ.get("AWS_CONFIG_FILE") or "~/.aws/config").expanduser()
    profile = profile or os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE") or "default"
    parser = ConfigParser(interpolation=None, strict=False)
    try:
        parser.read(path, encoding="utf-8")
    except (ConfigParserError, OSError, UnicodeDecodeError):
        return None  # a broken file is told by those who need it
    for section in (f"profile {profile}", profile):
        if found := parser.get(section, "region", fallback=None):
            return found
    return None


def region_in(url: str) -> str | None:
    """The region that stands in the host of one of AWS's URLs, or None."""
    found = _REGION.search(url.partition("://")[2].partition("/")[0].partition(":")[0])
    return found[1] if found is not None else None


def host_of(service: str, region: str) -> str:
    """Where a service is in a region; China has a domain of its own."""
    return f"{service}.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"
