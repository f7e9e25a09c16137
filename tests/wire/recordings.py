"""Finds the recordings of real exchanges. They stay where they are: nothing is copied into the project."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]


def folder() -> Path | None:
    """The folder of the recordings: `LAMELLAR_WIRE_DIR`, or `../shared/wire` beside the repository."""
    named = os.environ.get("LAMELLAR_WIRE_DIR")
    path = Path(named) if named else REPOSITORY.parent / "shared" / "wire"
    return path if path.is_dir() else None


def ids_of(dialect: str) -> list[str]:
    """The ids of all recordings of one dialect, in order."""
    found = folder()
    if found is None:
        return []
    index = found / "index.json"
    if index.is_file():
        return [entry["id"] for entry in json.loads(index.read_bytes()) if entry["dialect"] == dialect]
    return sorted(path.stem for path in found.glob("*.json") if _load(path).get("dialect") == dialect)


def load(name: str) -> dict[str, Any]:
    found = folder()
    assert found is not None
    return _load(found / f"{name}.json")


def _load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_bytes())


def body_of(recording: dict[str, Any]) -> bytes:
    """The bytes of the response's body."""
    response = recording["response"]
    if response.get("body_base64") is not None:
        return base64.b64decode(response["body_base64"])
    body = response["body"]
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()
