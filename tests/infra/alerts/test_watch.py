"""Alerts come up when they should, say what to do, and go away."""

from dataclasses import replace

from infra.alerts.watch import (
    Alert,
    HourOfAttention,
    attention_drops,
    changes,
    dark_cameras,
    dark_screens,
)

_MINUTE = 60_000


def test_a_camera_is_dark_after_a_minute_of_silence() -> None:
    told = {"a": 10 * _MINUTE, "b": 11 * _MINUTE}
    alerts = dark_cameras(["a", "b"], told, since_ms=0, now_ms=11 * _MINUTE + 1)
    assert [a.subject for a in alerts] == ["a"]
    assert "60 s" in alerts[0].sentence


def test_who_only_just_began_to_listen_calls_nothing_dark() -> None:
    assert dark_cameras(["a"], {}, since_ms=5 * _MINUTE, now_ms=5 * _MINUTE + 30_000) == []
    assert dark_cameras(["a"], {"a": 0}, since_ms=5 * _MINUTE, now_ms=6 * _MINUTE) == []
    assert len(dark_cameras(["a"], {}, since_ms=5 * _MINUTE, now_ms=7 * _MINUTE)) == 1


def test_a_screen_without_a_proof_for_two_minutes_may_be_dark() -> None:
    names = {"s1": "Above the shelf", "s2": "Entrance"}
    alerts = dark_screens(names, {"s1": 3 * _MINUTE}, since_ms=0, now_ms=5 * _MINUTE + 1)
    assert [a.subject for a in alerts] == ["s1", "s2"]
    assert dark_screens(names, {"s1": 5 * _MINUTE, "s2": 4 * _MINUTE}, 0, 5 * _MINUTE) == []


_HOUR = HourOfAttention(
    "tea", "Tea", 60_000, 4, (400_000, 380_000, 900_000), before_watchers=(40, 35, 50)
)


def test_a_drop_needs_weeks_to_compare_with_and_enough_watchers() -> None:
    assert [a.subject for a in attention_drops([_HOUR])] == ["tea"]
    assert attention_drops([replace(_HOUR, before_ms=(400_000, 380_000))]) == []
    assert attention_drops([replace(_HOUR, before_watchers=(4, 5, 6))]) == []
    assert attention_drops([replace(_HOUR, attention_ms=200_000)]) == []


def test_an_alert_is_told_when_it_comes_and_when_it_is_over() -> None:
    up = Alert("camera-dark", "a", "t", "for 61 s")
    later = Alert("camera-dark", "a", "t", "for 62 s")
    first = changes([], [up])
    assert [(c.alert, c.up) for c in first] == [(up, True)]
    assert changes([up], [later]) == []
    assert [(c.alert, c.up) for c in changes([later], [])] == [(later, False)]
