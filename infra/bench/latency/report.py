"""What `bench latency` reports: one JSON object with fixed fields, read by other programs."""

from msgspec import Struct

from infra.report import Percentiles


class Steps(Struct, frozen=True, kw_only=True):
    """Milliseconds of each step of a reaction."""

    capture_to_infer: Percentiles
    infer_to_event: Percentiles
    event_to_decision: Percentiles
    decision_to_render: Percentiles


class Screens(Struct, frozen=True, kw_only=True):
    """From the decision to the light, by what reads the screen's page."""

    chromium: Percentiles
    programs: Percentiles


class Model(Struct, frozen=True, kw_only=True):
    """What Triton says of the detector over the run, means a request: `compute_ms` is the model's
    own, `queue_ms` its wait for it (which counts as ours).
    """

    name: str
    compute_ms: float
    queue_ms: float
    requests: int


class Goal(Struct, frozen=True, kw_only=True):
    """A goal and what was found; `met` None where nothing was measured."""

    figure: str
    wanted: str
    found: float | None
    met: bool | None


class Free(Struct, frozen=True, kw_only=True):
    """The same figures of the reactions that the policy let go at once: when the event was sent,
    the screen had kept its minimum display, and the zone looked at led. None is left out for having
    been slow. `above_floor_ms`: what glance to render took beyond its floor.
    """

    reactions: int
    steps_ms: Steps
    glance_to_render_ms: Percentiles
    above_floor_ms: Percentiles
    capture_to_render_ms: Percentiles
    beside_model_ms: Percentiles
    decision_to_render_ms: Screens
    rendered_before_gaze_end_share: float | None


class Held(Struct, frozen=True, kw_only=True):
    """What the policy held back, by why. `reactions`: decided all the same, `waited_ms` after the
    event; `never`: gazes at zones that caused no decision, most of them over before the screen was
    free, or at what was on show already. `free` among the latter would be a loss.
    """

    reactions: dict[str, int]
    waited_ms: Percentiles
    never: dict[str, int]


class LatencyReport(Struct, frozen=True, kw_only=True):
    """The whole bench. Simulated shoppers, who come, stop before two zones, look and go; pictures
    drawn beforehand; real networks, broker, processor, players and one real browser.

    A reaction is a gaze that began, the first decision that it caused, and that decision's play.
    `glance_to_render_ms` begins when the simulated eyes come to rest on the target (truth, not
    measurement), and holds everything; `capture_to_render_ms` begins with the picture that
    completed the fixation. `beside_model_ms` is that without the model's mean compute.
    `floor_ms`: what no program could do better with this many pictures a second: from the eyes'
    rest to the first picture that a fixation can be told from, and the model's compute. (A single
    reaction may be quicker: the end of a turn of the head may face the zone already.)
    `rendered_before_gaze_end_share`: of the reactions whose true glance is known.
    `held_back`: reactions that the policy held back; `held` says why, and `free` holds the figures
    of the others. `without_truth`: reactions to a target at which nobody truly looked then.
    `cores_used`: by each part meanwhile, with what it started.
    """

    configuration: str
    scene: str
    cameras: int
    fps: float
    picture_px: tuple[int, int]
    detector: str
    screens: int
    cores: int
    load_average: float
    seconds: float
    reactions: int
    steps_ms: Steps
    glance_to_render_ms: Percentiles
    floor_ms: Percentiles
    capture_to_render_ms: Percentiles
    beside_model_ms: Percentiles
    rendered_before_gaze_end_share: float | None
    decision_to_render_ms: Screens
    model: Model
    held_back: int
    held: Held
    free: Free
    without_truth: int
    waits_for: dict[str, str]
    cores_used: dict[str, float]
    goals: list[Goal]
    errors: list[str]
