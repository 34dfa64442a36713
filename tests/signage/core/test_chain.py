"""The hash chain of proofs: whatever is lost, doubled, altered or moved is found."""

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signage.core.chain import Head, PlayerChain, link, verify, verify_ended
from streams.contracts.signage import Play

MakePlay = Callable[..., Play]


def chain_of(count: int, head: Head = Head(), player: str = "p") -> list[bytes]:  # noqa: B008
    made = []
    for number in range(count):
        play = Play(
            play_id=f"{player}-{head.seq}-{number}",
            phase="started",
            player_id=player,
            store_id="s",
            area_id="a",
            screen_id="sc",
            decision_id="d",
            creative_id="c",
            creative_version=1,
            scheduled_at_ms=number,
            rendered_at_ms=number,
        )
        linked, head = link(play, head)
        made.append(msgspec.json.encode(linked))
    return made


def only(messages: list[bytes]) -> PlayerChain:
    [found] = verify(messages)
    return found


def test_a_chain_as_it_was_made_is_intact() -> None:
    found = only(chain_of(20))
    assert (found.proofs, found.first_seq, found.last_seq) == (20, 1, 20)
    assert found.intact


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), max_size=10))
def test_repeats_are_no_harm(again: list[int]) -> None:
    chain = chain_of(10)
    found = only([*chain, *(chain[i] for i in again)])
    assert found.intact
    assert (found.proofs, found.repeats) == (10, len(again))


@settings(deadline=None)
@given(st.sets(st.integers(1, 8), min_size=1))
def test_every_lost_proof_is_counted(gone: set[int]) -> None:
    chain = chain_of(10)
    found = only([each for i, each in enumerate(chain) if i not in gone])
    assert found.lost == len(gone)
    assert not found.intact


@settings(deadline=None)
@given(st.integers(0, 9), st.data())
def test_a_changed_value_is_found(place: int, data: st.DataObject) -> None:
    chain = chain_of(10)
    values = msgspec.json.decode(chain[place])
    name = data.draw(st.sampled_from(["rendered_at_ms", "creative_id", "seq", "previous_sha256"]))
    values[name] = {"rendered_at_ms": 10**12, "creative_id": "z", "seq": 99}.get(name, "0" * 64)
    chain[place] = msgspec.json.encode(values)
    assert only(chain).altered >= 1


def test_a_proof_that_is_made_again_with_a_right_hash_is_found() -> None:
    """Who alters one and mends its hash breaks what follows."""
    chain = chain_of(5)
    values = msgspec.json.decode(chain[2], type=Play)
    head = Head(2, values.previous_sha256)
    forged, _ = link(msgspec.structs.replace(values, creative_id="z", seq=None, sha256=None), head)
    chain[2] = msgspec.json.encode(forged)
    found = only(chain)
    assert found.altered == 0
    assert found.lost >= 1


def test_two_in_one_place_and_the_same_play_twice_are_doubled() -> None:
    chain = chain_of(4)
    twin, _ = link(
        msgspec.structs.replace(msgspec.json.decode(chain[3], type=Play), sha256=None, play_id="x"),
        Head(3, msgspec.json.decode(chain[2], type=Play).sha256),
    )
    assert only([*chain, msgspec.json.encode(twin)]).doubled == 1
    last = msgspec.json.decode(chain[3], type=Play)
    again, _ = link(msgspec.structs.replace(last, sha256=None), Head(4, last.sha256))
    assert only([*chain, msgspec.json.encode(again)]).doubled == 1


def test_a_log_whose_beginning_was_cut_off_is_intact() -> None:
    found = only(chain_of(10)[4:])
    assert found.intact
    assert found.first_seq == 5


def test_a_player_that_lost_its_disk_begins_anew() -> None:
    first = msgspec.json.decode(chain_of(1)[0], type=Play)
    anew, _ = link(msgspec.structs.replace(first, play_id="new", seq=None, sha256=None), Head())
    found = only([*chain_of(3), msgspec.json.encode(anew)])
    assert (found.begun_anew, found.lost) == (1, 0)
    assert found.found == ["a new chain begins after proof 3"]


def test_players_are_kept_apart_and_strangers_are_told(make_play: MakePlay) -> None:
    mixed = [
        each for pair in zip(chain_of(3), chain_of(3, player="q"), strict=True) for each in pair
    ]
    assert [chain.intact for chain in verify(mixed)] == [True, True]
    assert verify([b"nothing", b"{}"]) == []
    found = only([msgspec.json.encode(make_play())])
    assert (found.unchained, found.intact) == (1, False)


@pytest.mark.parametrize("field", ["from_the_future"])
def test_a_field_of_a_newer_player_is_part_of_its_hash(field: str) -> None:
    values = msgspec.json.decode(chain_of(1)[0])
    values[field] = 1
    assert only([msgspec.json.encode(values)]).altered == 1


@pytest.mark.parametrize(
    ("places", "lost", "doubled", "anew"),
    [
        ([2, 4, 6, 8], 0, 0, 0),
        ([2, 3, 5, 7], 0, 0, 0),  # one of them failed: it has no beginning
        ([20, 22], 0, 0, 0),  # older rows were deleted
        ([2, 4, 8, 10], 1, 0, 0),
        ([2, 4, 14], 4, 0, 0),
        ([2, 4, 4, 6], 0, 1, 0),
        ([2, 4, 2, 4], 0, 0, 1),
    ],
)
def test_a_table_of_ended_plays_shows_what_is_missing(
    places: list[int], lost: int, doubled: int, anew: int
) -> None:
    [found] = verify_ended([("p", seq, f"{i}") for i, seq in enumerate(places)])
    assert (found.lost, found.doubled, found.begun_anew) == (lost, doubled, anew)
    assert found.intact == (not lost and not doubled)
