"""How often creatives were shown, for their caps and budgets. Pure: times are the plays' own."""

from collections import Counter, OrderedDict, deque
from collections.abc import Mapping

from streams.contracts.signage import Creative, Play

_HOUR_MS = 3_600_000
#: A play is told more than once only within moments; this is a day of a hundred screens.
_REMEMBERED = 200_000


class PlayBook:
    """Counts the plays of one store as they are told. A repeat of a play counts once.

    It is a function of the plays alone, so it can be rebuilt by reading the log again.
    """

    def __init__(self, creatives: Mapping[str, Creative] | None = None) -> None:
        self._campaign_of = {
            creative_id: creative.campaign
            for creative_id, creative in (creatives or {}).items()
            if creative.campaign is not None
        }
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._recent: dict[str, deque[tuple[int, str]]] = {}
        self._total: Counter[str] = Counter()

    def know(self, creative: Creative) -> None:
        """Counts plays of `creative` under its campaign from now on."""
        if creative.campaign is not None:
            self._campaign_of[creative.creative_id] = creative.campaign

    def count(self, play: Play) -> None:
        """A play has begun; ends, failures and repeats are ignored."""
        if play.phase != "started" or not play.success or play.play_id in self._seen:
            return
        self._seen[play.play_id] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        shown = self._recent.setdefault(play.screen_id, deque())
        shown.append((play.rendered_at_ms, play.creative_id))
        self._total[self._campaign_of.get(play.creative_id, play.creative_id)] += 1

    def last_hour(self, screen_id: str, now_ms: int) -> Mapping[str, int]:
        """Plays by creative on a screen in the hour before `now_ms`."""
        shown = self._recent.get(screen_id)
        if shown is None:
            return {}
        while shown and shown[0][0] <= now_ms - _HOUR_MS:
            shown.popleft()
        return Counter(creative_id for at_ms, creative_id in shown if at_ms > now_ms - _HOUR_MS)

    @property
    def by_campaign(self) -> Mapping[str, int]:
        """Plays by campaign (or creative, where it has none) since the first that was counted."""
        return self._total
