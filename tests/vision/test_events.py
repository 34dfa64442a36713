"""What the core tells, as it goes on the wire."""

import pytest

from streams.contracts.layout import Camera
from streams.contracts.topics import CROSSING, DWELL
from streams.contracts.vision import Audience, Crossing, DwellBatch
from vision.core.attention import TargetRules
from vision.core.crossing import Crossed
from vision.core.dwell import DwellBegan, StaffFound, Stay, StayRules
from vision.core.scene import Counts, CrossingOutput, DwellOutput, TargetCount
from vision.core.targets import Target
from vision.events import EventWriter, Stamp

ONE = Camera(camera_id="one", area_id="main", calibration_version="c1")
TWO = Camera(camera_id="two", area_id="main", calibration_version="c2")
STAMP = Stamp(5_000, 5_040, 5_041)
TEA = Target("tea", "zone", None, False, 0.0, None, StayRules(1, 2, 3), TargetRules(1, 2))


@pytest.fixture
def writer() -> EventWriter:
    return EventWriter("shop", "main", "gw", (ONE, TWO))


def test_a_crossing_has_the_same_id_whenever_it_is_told(writer: EventWriter) -> None:
    output = CrossingOutput("ann", Crossed("door", "in", 4_900), "one", "two")
    ((topic, first),) = writer.batches(ONE, [output], STAMP)
    ((_, again),) = EventWriter("shop", "main", "gw", (ONE, TWO)).batches(TWO, [output], STAMP)
    assert topic is CROSSING
    assert isinstance(first, Crossing)
    assert first == again
    assert (first.line_id, first.direction, first.crossed_at_ms) == ("door", "in", 4_900)
    assert (first.camera_id, first.calibration_version) == ("two", "c2")


def test_an_event_bears_the_name_of_the_camera_that_leads(writer: EventWriter) -> None:
    """And keeps its id when another camera leads at its end."""
    stay = Stay(1_000, 3_000, dwelling=True)
    begun = DwellOutput("ann", TEA, DwellBegan(stay), "one", "one")
    over = DwellOutput("ann", TEA, StaffFound(stay), "one", "two")
    ((topic, first),) = writer.batches(ONE, [begun], STAMP)
    ((_, second),) = writer.batches(ONE, [over], STAMP)
    assert topic is DWELL
    assert isinstance(first, DwellBatch)
    assert isinstance(second, DwellBatch)
    assert first.events[0].dwell_id == second.events[0].dwell_id
    assert [b.events[0].camera_id for b in (first, second)] == ["one", "two"]
    assert [b.events[0].phase for b in (first, second)] == ["started", "ended"]
    assert [b.events[0].excluded for b in (first, second)] == [False, True]
    assert second.events[0].calibration_version == "c2"


def test_the_heartbeat_says_what_is_measured_and_what_was_counted(writer: EventWriter) -> None:
    counts = [TargetCount(TEA, people=2, watchers=0, attention_ms=0)]
    _, beat = writer.audience(ONE, 2, counts, (), Counts(stitched=3, staff_excluded=1), STAMP)
    assert isinstance(beat, Audience)
    assert (beat.stitched, beat.staff_excluded, beat.calibration_version) == (3, 1, "c1")
    assert [t.measured for t in beat.targets] == [False]
