"""Names of parts to names of processes."""

import pytest

from infra.bench.victims import PARTS, chosen, supervised
from infra.errors import UserError

RUNNING = ("broker", "triton", "player-a", "player-b", "web")


def test_all_parts_unless_some_are_named() -> None:
    assert chosen(None) == PARTS
    assert chosen(["sink", "react", "sink"]) == ("sink", "react")


def test_a_part_that_is_none_is_refused_with_the_names_of_all() -> None:
    with pytest.raises(UserError, match=r"no part 'kafka'.*broker, triton"):
        chosen(["kafka"])


@pytest.mark.parametrize(
    ("part", "names"),
    [
        ("broker", ("broker",)),
        ("triton_stub", ("triton",)),
        ("player", ("player-a", "player-b")),
    ],
)
def test_a_part_is_one_process_or_one_for_each_screen(part: str, names: tuple[str, ...]) -> None:
    assert supervised(part, RUNNING) == names
