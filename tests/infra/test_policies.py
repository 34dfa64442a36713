"""Approvals: a person's name, or none at all."""

import pytest

from infra.errors import UserError
from infra.policies import approved, built_in, revoked
from streams.contracts.topics import POLICY


@pytest.mark.parametrize("name", ["", "   ", "42", "-"])
def test_nothing_is_approved_without_a_name(name: str) -> None:
    with pytest.raises(UserError, match="person who answers"):
        built_in("rule", "s", name, 1)


def test_an_approval_is_a_record_of_its_own_and_can_be_taken_back() -> None:
    rule = built_in("rule", "s", "Ada  Lovelace ", 5)
    assert (rule.approved_by, rule.approved_at_ms, rule.told_by) == ("Ada Lovelace", 5, "operator")
    again, gone = approved(rule, "Grace Hopper", 6), revoked(rule, 7)
    assert (gone.approved_by, gone.approved_at_ms) == (None, None)
    assert (rule.name, again.name, gone.name) == ("rule/1", "rule/2", "rule/2")
    assert len({POLICY.identity(each) for each in (rule, again, gone)}) == 3
