"""The scene of the delay bench: four shelves of the demo's kind, each with shoppers who come one
after the other, stop before two zones, look, and go. Pure.

The cameras do not tick in step, and the bays' shoppers do not come in step: no shop's do.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from infra.bench.latency.store import FPS
from infra.simulator.scenario import Scenario
from infra.simulator.truth import TrueGaze, truth_of
from streams.contracts.layout import Camera, StoreLayout

#: Before each shelf somebody comes in this often, and stays for 14 to 16 s: a busy aisle. Of two
#: who are there at a time, the one goes when the other has just come.
EVERY_MS = 12_000

#: The longest visit: after it an aisle in which nobody comes in any more is empty.
_LONGEST_VISIT_MS = 24_000


@dataclass(frozen=True, slots=True)
class Scene:
    """One bay's film: its shoppers come in from `opens_ms` until `closes_ms` of the film, which
    is `length_ms` long; its camera takes the first picture at `phase_ms`.
    """

    layout: StoreLayout
    camera: Camera
    seed: int
    opens_ms: int
    closes_ms: int
    phase_ms: float

    @property
    def length_ms(self) -> int:
        """Whole seconds, which hold a whole number of pictures; the aisle is empty at its end."""
        return -(-(self.closes_ms + _LONGEST_VISIT_MS) // 1_000) * 1_000

    @property
    def times_ms(self) -> list[int]:
        """When pictures are taken, from the film's beginning."""
        count = round(self.length_ms * FPS / 1_000)
        return [round(self.phase_ms + 1_000 * number / FPS) for number in range(count)]

    def scenario(self, start_ms: int = 0) -> Scenario:
        """Who is there in the film that begins at `start_ms`."""
        scenario = Scenario(
            self.layout,
            self.seed,
            start_ms + self.opens_ms,
            self.closes_ms - self.opens_ms,
            self.camera.area_id,
        )
        scenario.every_ms = EVERY_MS
        return scenario

    def glances(self, start_ms: int, until_ms: int) -> Iterator[TrueGaze]:
        """All true glances between two times, UTC epoch ms; the film begins again at its end."""
        for begin_ms in range(start_ms, until_ms, self.length_ms):
            scenario, number = self.scenario(begin_ms), 0
            while (visit := scenario.visit(number)) is not None and visit.enter_ms < until_ms:
                for line in truth_of(scenario, visit, until_ms):
                    if isinstance(line, TrueGaze):
                        yield line
                number += 1

    def pictures_of(self, glance: TrueGaze, start_ms: int) -> list[int]:
        """When the camera took pictures during a glance, UTC epoch ms."""
        begin_ms = start_ms + (glance.started_at_ms - start_ms) // self.length_ms * self.length_ms
        times = (begin_ms + at_ms for at_ms in self.times_ms)
        return [at for at in times if glance.started_at_ms <= at < glance.ended_at_ms]


def scenes_of(layout: StoreLayout, seed: int, lasts_ms: int) -> list[Scene]:
    """A scene for each camera; shoppers come in for `lasts_ms`."""
    count = len(layout.cameras)
    return [
        Scene(
            layout=layout,
            camera=camera,
            seed=seed + number,
            opens_ms=number * EVERY_MS // count,
            closes_ms=lasts_ms,
            phase_ms=number * 1_000 / FPS / count,
        )
        for number, camera in enumerate(layout.cameras)
    ]
