"""Visitors, and what the cameras tell of them. Pure."""

from infra.bench.chaos.history.store import CAMERAS, ZONES, Story, Told, trace
from streams.contracts import topics
from streams.contracts.vision import Audience, Crossing, Dwell, Gaze, Presence, TargetAudience


def people(story: Story, area: int, events_per_s: float) -> None:
    """Visitors come at random; each makes some nine events, heartbeats apart."""
    draw, at_ms, number = story.draw, story.start_ms, 0
    visitors_per_ms = max(0.2, events_per_s - CAMERAS) / 9 / 1_000
    while True:
        at_ms += round(draw.expovariate(visitors_per_ms))
        if at_ms >= story.start_ms + story.length_ms - min(15_000, story.length_ms // 3):
            return
        number += 1
        _visitor(story, area, number, at_ms)


def _visitor(story: Story, area: int, number: int, at_ms: int) -> None:
    draw = story.draw
    track, camera = story.id("track", area, number), f"cam-{area}-{draw.randrange(CAMERAS)}"
    _crossing(story, area, camera, track, at_ms)
    for stay in range(draw.randint(1, 3)):
        zone, length_ms = f"zone-{area}-{draw.randrange(ZONES)}", draw.randint(1_500, 7_000)
        end_ms = at_ms + length_ms
        _stay(story, area, camera, track, zone, stay, at_ms, end_ms)
        gaze_ms = at_ms
        for look in range(draw.randint(0, 3)):
            gaze_ms += draw.randint(100, 1_500)
            looked_ms = draw.randint(300, 2_500)
            target = draw.choice((zone, zone, f"screen-{area}"))
            name = story.id("gaze", track, stay, look)
            _gaze(story, area, camera, track, name, target, gaze_ms, gaze_ms + looked_ms)
            gaze_ms += looked_ms
        at_ms = end_ms + draw.randint(0, 800)


def _stay(
    story: Story,
    area: int,
    camera: str,
    track: str,
    zone: str,
    stay: int,
    start_ms: int,
    end_ms: int,
) -> None:
    """A presence in the zone, one before the screen, and a dwell if it was long enough."""
    draw = story.draw
    for target, kind in ((zone, "zone"), (f"screen-{area}", "screen")):
        seen = draw.choice((None, 0, end_ms - start_ms, (end_ms - start_ms) // 2))
        presence = Presence(
            presence_id=story.id("presence", track, stay, target),
            track_id=track,
            target_id=target,
            target_kind="zone" if kind == "zone" else "screen",
            entered_at_ms=start_ms,
            left_at_ms=end_ms,
            opportunity_ms=seen,
        )
        story.presences[area, camera].append((end_ms, presence))
    if end_ms - start_ms < 2_000:
        return
    name = story.id("dwell", track, stay)
    staff = draw.random() < 0.02
    for phase, at_ms in (("started", start_ms + 2_000), ("ended", end_ms)):
        dwell = Dwell(
            dwell_id=name,
            phase="started" if phase == "started" else "ended",
            track_id=track,
            camera_id=camera,
            zone_id=zone,
            entered_at_ms=start_ms,
            left_at_ms=None if phase == "started" else at_ms,
            excluded=staff and phase == "ended",
            calibration_version="c1",
            trace=trace(name, at_ms),
        )
        story.told.append(Told(at_ms, area, topics.DWELL, dwell))


def _gaze(
    story: Story,
    area: int,
    camera: str,
    track: str,
    name: str,
    target: str,
    start_ms: int,
    end_ms: int,
) -> None:
    attention_ms = round((end_ms - start_ms) * story.draw.uniform(0.6, 1.0))
    for ended in (False, True):
        at_ms = end_ms if ended else start_ms + 300
        gaze = Gaze(
            gaze_id=name,
            phase="ended" if ended else "started",
            track_id=track,
            camera_id=camera,
            target_id=target,
            target_kind="screen" if target.startswith("screen") else "zone",
            probability=round(story.draw.uniform(0.5, 1.0), 6),
            started_at_ms=start_ms,
            ended_at_ms=end_ms if ended else None,
            attention_ms=attention_ms if ended else min(300, attention_ms),
            distance_m=story.draw.choice((None, round(story.draw.uniform(0.5, 3.0), 3))),
            calibration_version="c1",
            trace=trace(name, at_ms),
        )
        story.told.append(Told(at_ms, area, topics.GAZE, gaze))


def _crossing(story: Story, area: int, camera: str, track: str, at_ms: int) -> None:
    crossing = Crossing(
        crossing_id=story.id("crossing", track),
        store_id=story.store_id,
        area_id=f"area-{area}",
        camera_id=camera,
        line_id=f"door-{area}",
        direction=story.draw.choice(("in", "out")),
        crossed_at_ms=at_ms,
    )
    story.told.append(Told(at_ms, area, topics.CROSSING, crossing))


def heartbeats(story: Story, area: int) -> None:
    """Each camera tells every second who has just left."""
    for camera in (f"cam-{area}-{n}" for n in range(CAMERAS)):
        waiting = sorted(story.presences[area, camera], key=lambda item: item[0])
        for seq, at_ms in enumerate(range(story.start_ms, story.start_ms + story.length_ms, 1_000)):
            left = [presence for end_ms, presence in waiting if at_ms - 1_000 < end_ms <= at_ms]
            audience = Audience(
                store_id=story.store_id,
                area_id=f"area-{area}",
                gateway_id=f"gateway-{area}",
                camera_id=camera,
                seq=seq,
                captured_at_ms=at_ms,
                inferred_at_ms=at_ms + 30,
                sent_at_ms=at_ms + 35,
                people=len(left),
                targets=(
                    TargetAudience(
                        target_id=f"zone-{area}-0",
                        target_kind="zone",
                        people=len(left),
                        watchers=0,
                        attention_ms=0,
                    ),
                ),
                presences=tuple(left),
            )
            story.told.append(Told(at_ms, area, topics.AUDIENCE, audience))
