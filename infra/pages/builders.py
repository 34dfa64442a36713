"""Which pages there are, and who builds each."""

from collections.abc import Mapping

from infra.pages import audience, experiment, monday, screens, shelf, today
from infra.pages.routes import Builder

BUILDERS: Mapping[str, Builder] = {
    "today": today.build,
    "shelf": shelf.build,
    "screens": screens.build,
    "experiment": experiment.build,
    "audience": audience.build,
    "monday": monday.build,
}
