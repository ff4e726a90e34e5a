"""What many seeds did and found, added up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.simulation import coverage, faults
from tests.simulation.receptionists import ACTS
from tests.simulation.running import UNSEEN, Outcome


@dataclass
class Report:
    seeds: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    checked: Counter[str] = field(default_factory=Counter)
    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    failed: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        self.seeds += 1
        self.counts += outcome.counts
        self.faults += outcome.faults
        self.checked += outcome.checked
        self.events += outcome.events
        if outcome.violations:
            self.failed.append(outcome)

    @property
    def steps(self) -> int:
        return sum(n for name, n in self.counts.items() if name.startswith("step:"))

    def __str__(self) -> str:
        acts = [act.name for act in ACTS]
        missing = coverage.holes(self.events, acts)
        never = [k.name for k in faults.KINDS if not self.faults[k.name]]
        parts = [
            f"{self.seeds} seeds, {self.steps} steps",
            f"{UNSEEN}: {self.counts[UNSEEN]}",
            _section("steps", self.counts, "step:"),
            _section("requests made by the product", self.counts, "request:"),
            _section("tasks begun", self.counts, "task:"),
            _section("done at the portal", self.counts, "portal:"),
            _section("faults injected", self.faults),
            f"faults that never struck: {', '.join(never) or 'none'}",
            _section("invariants checked", self.checked),
            "what people did in the two systems, by the state of the visit:",
            coverage.table(self.events, acts),
            f"combinations that never happened: {len(missing)}",
            *(f"  {line}" for line in missing),
        ]
        return "\n".join(parts)


def _section(title: str, counts: Counter[str], prefix: str = "") -> str:
    chosen = {n.removeprefix(prefix): c for n, c in counts.items() if n.startswith(prefix)}
    rows = [f"  {name:<34} {count:>9}" for name, count in sorted(chosen.items())]
    return "\n".join([f"{title}: {sum(chosen.values())}", *rows])


def replay(outcome: Outcome) -> str:
    """The one line that plays it again."""
    return f"make simulate SEED={outcome.seed} LENGTH={outcome.steps}   # {outcome.violations[0]}"
