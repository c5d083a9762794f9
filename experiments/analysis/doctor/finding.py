"""What a rule finds: words, numbers, and where the remedy was published."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Finding:
    """Something wrong.

    Attributes:
        rule: its name.
        evidence: the numbers, with kimg.
        remedy: what to change, in flags.
        source: the paper behind the rule.
        is_serious: whether the run is lost unless something is done (`--on-collapse`).
    """

    rule: str
    evidence: str
    remedy: str
    source: str
    is_serious: bool = False

    def __str__(self) -> str:
        return f"{self.rule}: {self.evidence}; {self.remedy} ({self.source})"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
