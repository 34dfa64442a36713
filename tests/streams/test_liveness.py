"""When a consumer is taken for stuck."""

from aiokafka import TopicPartition

from streams.liveness import LagWatch

TP = TopicPartition("t", 0)


def test_a_consumer_that_keeps_up_or_is_idle_is_well() -> None:
    watch = LagWatch(stuck_s=10)
    for second in range(0, 100, 5):
        assert watch.complaint(second, {TP: second}, {TP: second + 3}) is None
    for second in range(100, 200, 5):
        assert watch.complaint(second, {TP: 98}, {TP: 98}) is None


def test_a_growing_lag_with_nothing_stored_is_complained_of_in_time() -> None:
    watch = LagWatch(stuck_s=10)
    assert watch.complaint(0, {TP: 5}, {TP: 5}) is None
    assert watch.complaint(5, {TP: 5}, {TP: 6}) is None
    said = watch.complaint(10, {TP: 5}, {TP: 7})
    assert said is not None
    assert "t-0 grew to 7 but nothing was stored after 5 for 10 s" in said


def test_a_lag_that_does_not_grow_is_no_complaint() -> None:
    watch = LagWatch(stuck_s=10)
    for second in range(0, 100, 5):
        assert watch.complaint(second, {TP: 5}, {TP: 6}) is None


def test_a_group_that_never_stored_anything_is_watched_too() -> None:
    watch = LagWatch(stuck_s=10)
    assert watch.complaint(0, {}, {TP: 1}) is None
    assert watch.complaint(20, {}, {TP: 9}) is not None


def test_a_log_that_lost_its_end_is_complained_of_at_once() -> None:
    said = LagWatch(stuck_s=10).complaint(0, {TP: 9}, {TP: 5})
    assert said == "t-0 ends at 5, before the stored 9"
