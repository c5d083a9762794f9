"""Finding of a diagnosis: the fault, its evidence, its remedy, and the paper behind the rule."""

from dataclasses import asdict, dataclass

from experiments.core.named_values import JsonObject


@dataclass(frozen=True)
class Finding:
    """Fault that a rule has found in a run.

    Attributes:
        rule: name of the rule.
        evidence: the numbers, with kimg.
        remedy: what to change, in words.
        commands: the same as commands to type, each of which may help; only such as `gans run` accepts.
        source: the paper behind the rule.
        is_serious: whether the run is lost unless something is done (`--on-collapse`).
    """

    rule: str
    evidence: str
    remedy: str
    source: str
    commands: tuple[str, ...] = ()
    is_serious: bool = False

    def __str__(self) -> str:
        return f"{self.rule}: {self.evidence}; {self.remedy} ({self.source})"

    def to_json(self) -> JsonObject:
        """Converts the finding to an object for JSON."""
        return asdict(self)
