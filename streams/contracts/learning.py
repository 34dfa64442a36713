# SPDX-License-Identifier: Apache-2.0
"""What a content policy has learned: a whole snapshot at a time, published outside the stream.

The sums of a snapshot are over thousands of moments of screens; nothing in it is of a person.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from streams.contracts.base import Count, Id, Probability, TimeMs
from streams.contracts.signage import Algorithm

#: What a policy learns from. `attention`: seconds of watching its screen; `sales`: units of what
#: the creative advertises; `basket`: units of all baskets. They are never mixed.
RewardKind = Literal["attention", "sales", "basket"]

#: More features than any context here has; it bounds a snapshot (30 features: 465 sums an arm).
MAX_FEATURES = 30
MAX_SUMS = MAX_FEATURES * (MAX_FEATURES + 1) // 2


class ArmSums(Struct, frozen=True, kw_only=True):
    """What was learned of one creative: sums over its rewarded decisions.

    `a`: the upper triangle of the sum of x x^T, row by row; `b`: the sum of r x.
    """

    creative_id: Id
    rewards: Count
    a: Annotated[tuple[float, ...], Meta(max_length=MAX_SUMS)]
    b: Annotated[tuple[float, ...], Meta(max_length=MAX_FEATURES)]


class PolicySnapshot(Struct, frozen=True, kw_only=True):
    """A version of a policy, whole. No adaptive one runs before somebody named approves it: of the
    approved ones of a store the one approved last runs.

    `features` names what `a` and `b` of every arm are over, in order. `gamma` is how much an
    estimated gap counts against exploring, `floor` the probability that is shared evenly whatever
    is estimated, `prior` how many rewards the mean of all arms counts in the estimate of one.
    `learned_through_ms`: the decisions before it, and no others, are in the sums. `told_by` says
    whose record this is: a learner keeps what an operator said of approval.
    """

    policy_id: Id
    version: Annotated[int, Meta(ge=1)]
    algorithm: Algorithm
    made_at_ms: TimeMs
    store_id: Id
    told_by: Literal["learner", "operator"] = "learner"
    reward: RewardKind = "attention"
    features: Annotated[tuple[Id, ...], Meta(max_length=MAX_FEATURES)] = ()
    arms: Annotated[tuple[ArmSums, ...], Meta(max_length=1_000)] = ()
    gamma: Annotated[float, Meta(ge=0.0)] = 0.0
    floor: Probability = 0.02
    prior: Annotated[float, Meta(gt=0.0)] = 1.0
    rewards: Count = 0
    learned_through_ms: TimeMs | None = None
    approved_by: Annotated[str, Meta(min_length=1, max_length=120)] | None = None
    approved_at_ms: TimeMs | None = None
    simulated: bool = False

    def __post_init__(self) -> None:
        if (self.approved_by is None) != (self.approved_at_ms is None):
            raise ValueError("approved_by and approved_at_ms are given together")
        sums = len(self.features) * (len(self.features) + 1) // 2
        for arm in self.arms:
            if (len(arm.a), len(arm.b)) != (sums, len(self.features)):
                raise ValueError(
                    f"the arm {arm.creative_id!r} has {len(arm.a)} and {len(arm.b)} sums, "
                    f"not {sums} and {len(self.features)}"
                )

    @property
    def name(self) -> str:
        """The snapshot as decisions name it.

        >>> PolicySnapshot(policy_id="rule", version=2, algorithm="rule", made_at_ms=0,
        ...                store_id="s").name
        'rule/2'
        """
        return f"{self.policy_id}/{self.version}"
