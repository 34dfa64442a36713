"""Which cameras a gateway reads: what was named on the command line and in the environment, as
sources of pictures.

An address with a password comes from SMARTSTORE_CAMERA_URLS, or from the file that
SMARTSTORE_CAMERA_URLS_FILE names: one CAMERA_ID=ADDRESS a line. A command line is read by everybody
on a machine.
"""

from collections.abc import Iterable
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from pydantic import SecretStr

from infra.commands.runtime import settings_of
from infra.errors import UserError
from streams.contracts.layout import Camera, StoreLayout
from vision.cameras.address import has_password, is_rtsp, split_name, usb_device
from vision.cameras.file import FileSource, check_video
from vision.cameras.supervised import SupervisedSource
from vision.clock import wall_ms
from vision.ports import FrameSource
from vision.settings import GatewaySettings, HardwareDecode

if TYPE_CHECKING:
    from av.codec.hwaccel import HWAccel

#: A webcam's loose plug is found within a minute; a shop's cameras are waited for without end.
_WEBCAM_PATIENCE_S = 60.0


def simulated_sources(area: StoreLayout, seed: int, start_ms: int | None) -> dict[str, FrameSource]:
    """All cameras of the simulated store, live or from a film. Raises FilmError, StageError."""
    from infra.simulator.film import FilmCamera
    from infra.simulator.settings import SimulatorSettings
    from infra.simulator.source import SimulatedSource

    settings = settings_of(SimulatorSettings, seed=seed, start_ms=start_ms)
    if settings.film is not None:
        return {
            camera.camera_id: SupervisedSource(
                FilmCamera(settings.film / camera.camera_id, settings.start_ms or wall_ms()),
                tell=partial(_tell, camera.camera_id),
            )
            for camera in area.cameras
        }
    return {camera.camera_id: SimulatedSource(settings, area, camera) for camera in area.cameras}


def webcam_source(
    area: StoreLayout, named: str, settings: GatewaySettings
) -> dict[str, FrameSource]:
    """The one camera of a desk. Raises CaptureError where there is none."""
    from vision.cameras.usb import check_webcam

    if len(area.cameras) != 1:
        raise UserError(
            f"the area has {len(area.cameras)} cameras, but --webcam names one; "
            "use a layout with one camera"
        )
    check_webcam(_device(named))
    return {area.cameras[0].camera_id: _usb(area.cameras[0], named, settings, _WEBCAM_PATIENCE_S)}


def named_sources(
    area: StoreLayout, named: list[str], settings: GatewaySettings, start_ms: int | None
) -> dict[str, FrameSource]:
    """The cameras that are named, each by CAMERA_ID=ADDRESS.

    Raises:
        UserError: a name or an address is not right.
        CaptureError: a video file cannot be played. A camera that is away is waited for.
    """
    for text in named:
        if has_password(split_name(text)[1]):
            raise UserError(
                "--camera holds a password, which everybody on this machine could read; give that "
                "address in SMARTSTORE_CAMERA_URLS or in a file SMARTSTORE_CAMERA_URLS_FILE"
            )
    sources: dict[str, FrameSource] = {}
    for text in [*named, *_secret_addresses(settings)]:
        camera, address = _camera_of(area, text)
        if camera.camera_id in sources:
            raise UserError(f"the camera {camera.camera_id!r} is named twice; name it once")
        sources[camera.camera_id] = _source(camera, address, settings, start_ms)
    return sources


def has_secret_addresses(settings: GatewaySettings) -> bool:
    """Whether the environment names cameras."""
    return bool(_secret_addresses(settings))


def _secret_addresses(settings: GatewaySettings) -> list[str]:
    texts = []
    if settings.camera_urls is not None:
        texts.append(settings.camera_urls.get_secret_value())
    if settings.camera_urls_file is not None:
        try:
            texts.append(settings.camera_urls_file.read_text())
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(
                f"SMARTSTORE_CAMERA_URLS_FILE {settings.camera_urls_file} cannot be read "
                f"({type(error).__name__}); write one CAMERA_ID=ADDRESS a line"
            ) from None
    return list(_lines(texts))


def _lines(texts: Iterable[str]) -> Iterable[str]:
    for text in texts:
        for line in text.splitlines():
            if line.strip() and not line.strip().startswith("#"):
                yield line.strip()


def _camera_of(area: StoreLayout, text: str) -> tuple[Camera, str]:
    name, address = split_name(text)
    known = {camera.camera_id: camera for camera in area.cameras}
    if name is None and len(known) == 1:
        return area.cameras[0], address
    if name is None:
        shown = "" if has_password(address) else f" {address}"
        raise UserError(
            f"the area has {len(known)} cameras, so it is not known whose the picture{shown} is; "
            "give --camera CAMERA_ID=ADDRESS"
        )
    if name not in known:
        raise UserError(
            f"the area has no camera {name!r}; name one of: {', '.join(known) or 'none'}"
        )
    return known[name], address


def _source(
    camera: Camera, address: str, settings: GatewaySettings, start_ms: int | None
) -> FrameSource:
    device = usb_device(address)
    if device is not None:
        if not device.isdecimal() and not device.startswith("/dev/"):
            raise UserError(
                f"usb:{device} names no device for the camera {camera.camera_id!r}; give usb:0 or "
                "usb:/dev/v4l/by-id/NAME"
            )
        return _usb(camera, device, settings, None)
    if is_rtsp(address):
        # FFmpeg's libraries take some 100 ms to load.
        from vision.cameras.rtsp import RtspCamera

        rules = settings.supervision()
        return SupervisedSource(
            RtspCamera(SecretStr(address), rules.stall_s, _decoder(settings.hardware_decode)),
            rules,
            fps=camera.fps,
            tell=partial(_tell, camera.camera_id),
        )
    if "://" in address:
        raise UserError(
            f"the address of the camera {camera.camera_id!r} is none that is known; give "
            "rtsp://HOST/PATH, usb:0 or a video file"
        )
    check_video(Path(address))
    return FileSource(Path(address), start_ms)


@lru_cache(maxsize=1)
def _decoder(wanted: HardwareDecode) -> "HWAccel | None":
    """One for all cameras: what it says of itself is said once."""
    from vision.cameras.hardware import accelerator

    return accelerator(wanted)


def _usb(
    camera: Camera, named: str, settings: GatewaySettings, patience_s: float | None
) -> FrameSource:
    from vision.cameras.usb import UsbCamera

    return SupervisedSource(
        UsbCamera(_device(named), camera.fps),
        settings.supervision(patience_s),
        tell=partial(_tell, camera.camera_id),
    )


def _device(named: str) -> int | Path:
    return int(named) if named.isdecimal() else Path(named)


def _tell(camera_id: str, sentence: str) -> None:
    typer.echo(f"camera {camera_id}: {sentence}", err=True)
