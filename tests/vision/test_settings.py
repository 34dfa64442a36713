"""Settings of a gateway."""

import pytest
from pydantic import ValidationError

from vision.settings import GatewaySettings


def test_the_core_gets_the_same_numbers() -> None:
    settings = GatewaySettings(name_probability=0.7, keep_probability=0.4, smoothing_ms=90)
    rules = settings.scene_rules()
    assert (rules.name_probability, rules.keep_probability) == (0.7, 0.4)
    assert rules.smoothing_ms == 90.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"name_probability": 0.3, "keep_probability": 0.4},
        {"name_probability": 1.5},
        {"audience_per_s": 0.1},
        {"no_such_setting": 1},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        GatewaySettings(**wrong)  # type: ignore[arg-type]


def test_the_environment_names_the_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMARTSTORE_KAFKA", "broker:1")
    monkeypatch.setenv("SMARTSTORE_TRITON", "triton:2")
    settings = GatewaySettings()
    assert (settings.kafka, settings.triton) == ("broker:1", "triton:2")
