"""Where the sink goes on reading."""

import pytest

from streams.sink.resume import Resume, Stored, digest, resume, rewound_to


@pytest.mark.parametrize(
    ("stored", "log_start", "log_end", "expected"),
    [
        (None, 0, 0, Resume(0)),
        (None, 5, 9, Resume(5)),
        (Stored(9, 0, "d"), 5, 9, Resume(8, verify=True)),
        (Stored(9, 0, ""), 5, 9, Resume(9)),
        (Stored(6, 0, "d"), 5, 9, Resume(5, verify=True)),
        (Stored(5, 0, "d"), 5, 9, Resume(5)),
        (Stored(3, 0, "d"), 5, 9, Resume(5, expired=2)),
        (Stored(10, 0, "d"), 5, 9, Resume(9, forgotten=1)),
        # A broker that was made anew has an empty log.
        (Stored(10, 0, "d"), 0, 0, Resume(0, forgotten=10)),
    ],
)
def test_resume(stored: Stored | None, log_start: int, log_end: int, expected: Resume) -> None:
    assert resume(stored, log_start, log_end) == expected


@pytest.mark.parametrize(
    ("first_in_doubt", "expected"), [(7, 7), (2, 5), (None, 9), (12, 9), (5, 5)]
)
def test_going_back_stays_within_the_log(first_in_doubt: int | None, expected: int) -> None:
    assert rewound_to(5, 9, first_in_doubt) == expected


def test_another_record_at_the_same_offset_is_told_apart() -> None:
    same = digest(1, b"k", b"v")
    assert digest(1, b"k", b"v") == same
    others = [digest(2, b"k", b"v"), digest(1, b"j", b"v"), digest(1, b"k", b"w")]
    others += [digest(1, None, b"v"), digest(1, b"k", None)]
    assert same not in others
    assert len(set(others)) == len(others)
