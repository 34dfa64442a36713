import math
from collections.abc import Mapping

import msgspec
import numpy as np
import pytest

from streams.contracts.layout import CameraPose, Face
from vision.core.diagnosis import Fault, diagnose
from vision.core.gaze import Direction
from vision.core.geometry import camera_model
from vision.core.walktest import (
    Glimpse,
    Look,
    confused,
    confusion,
    errors,
    look_of,
    script,
    true_angles,
    true_head,
)

TALL_M = 1.75
TRUE = CameraPose(position_m=(1.5, 0.0, 1.55), pitch_deg=-3.0, horizontal_fov_deg=75.0)
FACES: dict[str, tuple[str, Face]] = {
    "tea": ("Tea", (0.0, 0.6, 1.1, 1.65)),
    "chocolate": ("Chocolate", (1.1, 0.6, 1.9, 1.65)),
    "coffee": ("Coffee", (1.9, 0.6, 3.0, 1.65)),
    "screen-1": ("Screen", (0.8, 1.8, 2.2, 2.5)),
}
PROMPTS = script(FACES, 1.5)


def looks_of(declared: CameraPose, *, mirrored: bool = False, seed: int = 3) -> list[Look]:
    """What a camera at TRUE measures with the errors of a network, under a wrong declaration.

    Written against the geometry alone: place and face in the camera's frame, depth by the focal
    length, read back as the declared camera would.
    """
    rng = np.random.default_rng(seed)
    true, wrong = camera_model(TRUE, 1000, 562), camera_model(declared, 1000, 562)
    looks = []
    for prompt in PROMPTS:
        head = np.array(true_head(prompt, TALL_M))
        yaw, pitch = true_angles(prompt, TALL_M)
        yaw, pitch = yaw + rng.normal(1, 4), pitch + rng.normal(-2, 5)
        head = head + rng.normal(0, [0.04, 0.04 * head[1], 0.02])
        across = math.cos(math.radians(pitch))
        face = np.array(
            [
                math.sin(math.radians(yaw)) * across,
                -math.cos(math.radians(yaw)) * across,
                math.sin(math.radians(pitch)),
            ]
        )
        inside = true.rotation.T @ (head - np.array(TRUE.position_m))
        looking = true.rotation.T @ face
        if mirrored:
            inside, looking = inside * [-1, 1, 1], looking * [-1, 1, 1]
        # The head is as large in the picture as before: a longer focal length puts it further away.
        deeper = inside * [1, 1, wrong.focal_px / true.focal_px]
        place = wrong.rotation @ deeper + np.array(declared.position_m)
        seen = wrong.rotation @ looking
        looks.append(
            Look(
                prompt,
                (float(place[0]), float(place[1]), float(place[2])),
                math.degrees(math.atan2(seen[0], -seen[1])),
                math.degrees(math.asin(seen[2])),
                {},
            )
        )
    return looks


def test_the_script_is_two_minutes_at_three_distances() -> None:
    assert PROMPTS[-1].end_ms == 120_000
    assert {p.mark_m for p in PROMPTS} == {(1.5, 1.0), (1.5, 2.0), (1.5, 3.0)}
    for distance in (1.0, 2.0, 3.0):
        asked = {p.spot.target_id for p in PROMPTS if p.mark_m[1] == distance}
        assert asked == set(FACES)
    assert all(p.begin_ms < p.measure_ms < p.end_ms for p in PROMPTS)
    assert PROMPTS[0].stand == "Stand 1 m from the shelf, before the middle of Chocolate."
    # Who faces the shelf has the greater x at the left.
    left = next(p for p in PROMPTS if p.spot.where == "the left end of")
    assert left.spot.aim_m[0] > np.mean([FACES[left.spot.target_id][1][i] for i in (0, 2)])


def test_many_targets_are_spread_over_the_marks() -> None:
    faces: dict[str, tuple[str, Face]] = {
        f"z{i}": (f"Z{i}", (float(i), 0.5, i + 1.0, 1.5)) for i in range(25)
    }
    prompts = script(faces, 12.0)
    assert len({p.spot.target_id for p in prompts}) == 25
    assert script({}, 0.0) == ()


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_a_right_calibration_is_not_called_wrong(seed: int) -> None:
    assert not any(f.wrong for f in diagnose(looks_of(TRUE, seed=seed), TRUE, TALL_M))


@pytest.mark.parametrize("seed", [3, 4])
@pytest.mark.parametrize(
    ("fault", "changes", "amount", "within"),
    [
        ("yaw", {"yaw_deg": 7.0}, -7.0, 1.5),
        ("yaw", {"yaw_deg": -10.0}, 10.0, 1.5),
        ("pitch", {"pitch_deg": 4.0}, -7.0, 2.0),
        ("fov", {"horizontal_fov_deg": 60.0}, 75.0, 4.0),
        ("fov", {"horizontal_fov_deg": 90.0}, 75.0, 4.0),
        ("height", {"position_m": (1.5, 0.0, 1.9)}, -0.35, 0.08),
        ("across", {"position_m": (1.0, 0.0, 1.55)}, 0.5, 0.1),
        ("away", {"position_m": (1.5, 0.45, 1.55)}, -0.45, 0.12),
    ],
)
def test_what_is_wrong_is_named_with_its_amount(
    fault: Fault, changes: Mapping[str, object], amount: float, within: float, seed: int
) -> None:
    declared = msgspec.structs.replace(TRUE, **changes)
    first = diagnose(looks_of(declared, seed=seed), declared, TALL_M)[0]
    assert (first.fault, first.wrong) == (fault, True)
    assert first.amount == pytest.approx(amount, abs=within)
    assert first.explains > 0.3
    assert first.sentence


def test_exchanged_sides_are_named() -> None:
    first = diagnose(looks_of(TRUE, mirrored=True), TRUE, TALL_M)[0]
    assert (first.fault, first.wrong) == ("mirror", True)
    assert "left and right are exchanged" in first.sentence


def test_errors_are_those_of_the_looks() -> None:
    looks = [
        Look(p, true_head(p, TALL_M), y + 3.0, z - 2.0, {p.spot.target_id: 0.9})
        for p in PROMPTS
        for y, z in [true_angles(p, TALL_M)]
    ]
    found = errors(looks, TALL_M, 0.8)
    assert (found.looks, found.named, found.right_when_named) == (30, 1.0, 1.0)
    assert found.yaw_bias_deg == pytest.approx(3.0)
    assert found.pitch_bias_deg == pytest.approx(-2.0)
    assert found.yaw_sigma_deg == pytest.approx(0.0, abs=1e-9)
    assert found.place_error_m == 0.0
    assert errors(looks, TALL_M, 0.95).named == 0.0


def test_a_look_is_the_median_of_its_pictures() -> None:
    prompt = PROMPTS[0]
    head = true_head(prompt, TALL_M)
    yaw, pitch = true_angles(prompt, TALL_M)
    glimpses = [
        Glimpse(head, Direction(yaw + off, pitch, 4.0, 4.0, 0)) for off in (-1.0, 0.0, 60.0)
    ]
    faces = {name: face for name, (_, face) in FACES.items()}
    look = look_of(prompt, glimpses, faces, 5.0)
    assert look is not None
    assert look.yaw_deg == pytest.approx(yaw)
    assert look.named(0.5) == prompt.spot.target_id
    assert look_of(prompt, glimpses[:1], faces, 5.0) is None


def test_zones_that_are_taken_for_one_another_are_found() -> None:
    def look(number: int, asked: str, likelier: str) -> Look:
        prompt = next(p for p in PROMPTS if p.spot.target_id == asked)
        return Look(prompt, (0, 0, 0), 0, 0, {asked: 0.3, likelier: 0.4 + 0.01 * number})

    looks = [look(i, "tea", "chocolate" if i % 2 else "tea") for i in range(6)]
    looks += [look(i, "chocolate", "tea" if i % 2 else "chocolate") for i in range(6)]
    looks += [look(i, "coffee", "coffee") for i in range(6)]
    zones = ["tea", "chocolate", "coffee"]
    for one in looks:
        assert isinstance(one.likely, dict)
        for zone in zones:
            one.likely.setdefault(zone, 0.0)
    assert confused(looks, zones) == [("tea", "chocolate")]
    assert confused(looks[12:], zones) == []
    assert confusion(looks[12:], 0.4)["coffee", "coffee"] == 6
