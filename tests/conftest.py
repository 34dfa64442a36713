"""What all tests share: settings come from the test, never from the developer's environment."""

import os

import pytest

#: What a developer's shell may set for the tests themselves.
_FOR_TESTS = {
    "SMARTSTORE_MODELS",
    "SMARTSTORE_TEST_VIDEO",
    "SMARTSTORE_TEST_KAFKA",
    "SMARTSTORE_TIMESCALE_DSN",
    "SMARTSTORE_TRITON_ENVIRONMENT",
}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("SMARTSTORE_") and name not in _FOR_TESTS:
            monkeypatch.delenv(name)
