"""One run of the whole chain on this machine: `run` does it, `parts` lists its processes."""

from infra.chain.plan import Plan
from infra.chain.run import Chain, Companion

__all__ = ["Chain", "Companion", "Plan"]
