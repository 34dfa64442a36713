"""What a walk test's verdict means for the layout, and what people read of it."""

import math
from pathlib import Path

import msgspec

from infra.calibrate.layout_file import Data, camera_in, change_layout
from infra.calibrate.merging import merge_zones
from infra.calibrate.walk import Verdict
from infra.errors import sentence
from streams.contracts.layout import Camera

#: The distance at which an error in degrees is also told in centimetres on the shelf.
_TYPICAL_M = 2.0


def told(verdict: Verdict) -> list[str]:
    """The verdict in sentences, the most important first."""
    lines: list[str] = []
    if verdict.refused is not None:
        lines.append(sentence(f"no certificate: {verdict.refused}"))
    elif verdict.errors is not None:
        tester = ", by a simulated tester" if verdict.simulated else ""
        lines.append(f"Certified: {verdict.errors.looks} looks{tester}.")
    found = verdict.errors
    if found is not None:
        apart_cm = 100 * _TYPICAL_M * math.tan(math.radians(min(80.0, found.yaw_sigma_deg)))
        lines += [
            f"Facing sideways: off by {found.yaw_bias_deg:+.1f} on average, spread "
            f"{found.yaw_sigma_deg:.1f} degrees ({apart_cm:.0f} cm on the shelf at 2 m).",
            f"Facing up and down: off by {found.pitch_bias_deg:+.1f} on average, spread "
            f"{found.pitch_sigma_deg:.1f} degrees.",
            f"Place on the floor: off by {100 * found.place_error_m:.0f} cm (median).",
            f"A target was named in {found.named:.0%} of the looks; of those, "
            f"{found.right_when_named:.0%} were right.",
        ]
    if verdict.refused is not None and verdict.findings and verdict.findings[0].wrong:
        lines.append(f"That explains {verdict.findings[0].explains:.0%} of the error seen.")
    for group in verdict.confused:
        lines.append(f"This camera cannot tell {' and '.join(group)} apart.")
    return lines


def write(
    path: Path,
    camera: Camera,
    verdict: Verdict,
    at_ms: int,
    stamp: str,
    out: Path | None,
    merge: bool,
) -> list[str]:
    """Puts the certificate, and joined zones, into the layout; returns sentences about it.

    A camera that was refused gets none, and loses the one it had. Raises UserError.
    """
    said: list[str] = []
    certificate = verdict.certificate(at_ms, camera.calibration_version)

    def change(data: Data) -> None:
        there = camera_in(data, camera.camera_id)
        there.pop("certificate", None)
        if certificate is None:
            return
        if merge and verdict.confused:
            made, refused = merge_zones(data, list(verdict.confused))
            said.extend(f"Joined into one zone: {name}." for name in made)
            said.extend(sentence(text) for text in refused)
        there["certificate"] = msgspec.to_builtins(certificate)

    if certificate is None and camera.certificate is None:
        return []
    saved = change_layout(path, change, stamp, out)
    what = "certificate written into" if certificate is not None else "old certificate taken from"
    said.append(f"The {what} {saved.path}; as it was: {saved.backup}.")
    return said
