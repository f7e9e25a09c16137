"""One simulator and one client of the SDK for each dialect: some SDKs take seconds to import, and a while to start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.differential.sdk import Sdk, imported

from lamellar.testing.simulator import ProviderSimulator

pytest.register_assert_rewrite("tests.differential.agreement")


@pytest.fixture(scope="class")
def simulator(request: pytest.FixtureRequest) -> Iterator[ProviderSimulator]:
    """A provider that speaks the dialect."""
    agreement: Any = request.cls
    with ProviderSimulator(dialect=agreement.sdk_class.dialect) as simulator:
        yield simulator


@pytest.fixture(scope="class")
def sdk(request: pytest.FixtureRequest, simulator: ProviderSimulator) -> Iterator[Sdk]:
    """The SDK's client, on that simulator; without the package the tests are skipped."""
    agreement: Any = request.cls
    sdk: Sdk = agreement.sdk_class()
    package = imported(sdk.package)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            patch.delenv(name, raising=False)
            patch.delenv(name.upper(), raising=False)
        sdk.start(package, simulator.url, simulator.base_url)
        yield sdk
        sdk.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for each scenario, by its name."""
    scenarios = getattr(metafunc.cls, "scenarios", dict)()
    for argument in {*scenarios} & {*metafunc.fixturenames}:
        metafunc.parametrize(argument, scenarios[argument].values(), ids=scenarios[argument])
    if scenarios and "stream" in metafunc.fixturenames:
        metafunc.parametrize("stream", (False, True), ids=("whole", "streamed"))
