"""What `bench gateway` reports: one JSON object with fixed fields. The sums are pure."""

from msgspec import Struct


class Used(Struct, frozen=True, kw_only=True):
    """What a stretch of time cost, in seconds of processor time over `seconds`.

    `gateway_s`: our process; `server_s`, `model_s`: Triton's server and its process with the
    networks; `frames`: inferred meanwhile; `raw_*`: the plain loop's over the same time, of which
    `raw_decode_s` decoding.
    """

    seconds: float
    frames: int
    gateway_s: float
    server_s: float
    model_s: float
    raw_frames: int
    raw_s: float
    raw_decode_s: float

    @property
    def ours_ms(self) -> float:
        """Of all our processes and Triton's, a frame."""
        return 1000 * (self.gateway_s + self.server_s + self.model_s) / max(1, self.frames)

    @property
    def raw_ms(self) -> float:
        """Of the plain loop, a frame."""
        return 1000 * self.raw_s / max(1, self.raw_frames)


class CameraRun(Struct, frozen=True, kw_only=True):
    """One number of cameras. `fps_total`: frames inferred a second, over all of them; `used`: the
    totals.
    """

    cameras: int
    fps_total: float
    cpu_ms_per_frame: float
    raw_cpu_ms_per_frame: float
    overhead_ms_per_frame: float
    used: Used


class Idle(Struct, frozen=True, kw_only=True):
    """Cameras that see nobody. `inferred_fps`: of each; `core_share`: of one core, for each camera,
    beside decoding and the model; `decode_core_share`, `model_core_share`: those.
    """

    cameras: int
    captured_fps: float
    inferred_fps: float
    core_share: float
    decode_core_share: float
    model_core_share: float
    used: Used


class Measured(Struct, frozen=True, kw_only=True):
    """The configuration: its name, the networks, the longer side of their input, the pictures."""

    name: str
    person_network: str
    head_network: str | None
    input_size_px: int
    picture_px: tuple[int, int]
    threads: int
    video: str


class GpuRun(Struct, frozen=True):
    """Frames a second at one size of batch, from frame to people."""

    batch: int
    fps: float


class GpuReport(Struct, frozen=True):
    """On a CUDA device; `did_not_run` says in a sentence why there are no runs."""

    network: str
    runs: list[GpuRun]
    did_not_run: str | None = None


class GatewayReport(Struct, frozen=True, kw_only=True):
    """The bench. `cpu_ratio_to_raw` and `overhead_ms_per_frame` are of the run with the greatest
    ratio; `passed`: every run's ratio is at most 1.10 or its overhead at most 4 ms, and an idle
    camera costs at most 2 % of a core. `gpu`: None where it was not asked for.
    """

    configuration: Measured
    cpu_ratio_to_raw: float
    overhead_ms_per_frame: float
    idle_camera_core_share: float
    runs: list[CameraRun]
    idle: Idle
    passed: bool
    load_before: float
    versions: dict[str, str]
    gpu: GpuReport | None = None


#: The goals.
RATIO, OVERHEAD_MS, IDLE_SHARE = 1.10, 4.0, 0.02


def camera_run(cameras: int, used: Used) -> CameraRun:
    """The figures of one number of cameras."""
    return CameraRun(
        cameras=cameras,
        fps_total=round(used.frames / used.seconds, 2),
        cpu_ms_per_frame=round(used.ours_ms, 2),
        raw_cpu_ms_per_frame=round(used.raw_ms, 2),
        overhead_ms_per_frame=round(used.ours_ms - used.raw_ms, 2),
        used=used,
    )


def ratio(run: CameraRun) -> float:
    """Ours over raw."""
    return run.cpu_ms_per_frame / run.raw_cpu_ms_per_frame


def within(run: CameraRun) -> bool:
    """Whether a run reaches the goal."""
    return ratio(run) <= RATIO or run.overhead_ms_per_frame <= OVERHEAD_MS


def idle(cameras: int, captured_fps: float, used: Used) -> Idle:
    """The figures of cameras that see nobody, beside a loop that decodes all of their pictures too
    and infers about as many.
    """
    seconds = used.seconds * cameras
    decode = used.raw_decode_s / seconds
    network_s = (used.raw_s - used.raw_decode_s) / max(1, used.raw_frames)
    model = used.frames * network_s / seconds
    ours = (used.gateway_s + used.server_s + used.model_s) / seconds
    return Idle(
        cameras=cameras,
        captured_fps=captured_fps,
        inferred_fps=round(used.frames / seconds, 2),
        core_share=round(ours - decode - model, 4),
        decode_core_share=round(decode, 4),
        model_core_share=round(model, 4),
        used=used,
    )
