"""For the whole suite."""

import gc

from hypothesis import settings

settings.register_profile("lamellar", deadline=None)  # how long an example takes says how busy the machine is
settings.load_profile("lamellar")


def _settle() -> None:
    """What there is now stays: a test that collects garbage need not look through it every time."""
    gc.collect()
    gc.freeze()


def pytest_collection_finish():
    _settle()


def pytest_runtest_teardown(item, nextitem):
    if nextitem is not None and nextitem.path != item.path:
        _settle()  # the packages that a file has loaded
