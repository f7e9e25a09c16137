"""Reports what importing the package costs, beside importing pydantic: `python tests/benchmarks/import_cost.py`.

The aim is a ratio of 1.6 at most. It is reported, not asserted: a busy machine proves nothing.
"""

from __future__ import annotations

import subprocess
import sys
from time import perf_counter

RUNS = 20
BARE = "pass"
PYDANTIC = "from pydantic import BaseModel"
CODES = (
    "import lamellar",
    "from lamellar import ChatRequest, Stack",
    "from lamellar import Stack; from lamellar.middleware import Retry; from lamellar.providers import OpenAI",
)


def best(code: str) -> float:
    """Seconds of the quickest of several fresh interpreters."""
    times = []
    for _ in range(RUNS):
        began = perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        times.append(perf_counter() - began)
    return min(times)


def main() -> None:
    """Measure and print."""
    bare = best(BARE)
    pydantic = best(PYDANTIC) - bare
    print(f"{pydantic * 1000:7.1f} ms        {PYDANTIC}")
    for code in CODES:
        cost = best(code) - bare
        print(f"{cost * 1000:7.1f} ms  {cost / pydantic:4.2f} x  {code}")


if __name__ == "__main__":
    main()
