"""For the whole suite."""

import gc


def pytest_collection_finish():
    """What was collected stays to the end: a test that collects garbage need not look through it every time."""
    gc.collect()
    gc.freeze()
