"""What a run says at its end: what was done, what was broken, what held."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.chaos.attack import Attack, Recovery
from tests.chaos.clinic import Tally
from tests.chaos.evidence import Evidence, gaps, quantile
from tests.chaos.invariants import INVARIANTS

MOST_SHOWN: Final = 12


@dataclass
class Verdict:
    """``breaches`` by invariant, in the order in which they were looked at."""

    breaches: dict[str, list[str]] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        return not any(self.breaches.values())


def judge(evidence: Evidence) -> Verdict:
    verdict = Verdict()
    for invariant in INVARIANTS:
        verdict.breaches[invariant.__name__] = list(invariant(evidence))
    return verdict


def lines(
    evidence: Evidence, verdict: Verdict, attack: Attack, tally: Tally, seconds: Mapping[str, float]
) -> list[str]:
    spans = ", ".join(f"{what} {span:.0f} s" for what, span in seconds.items())
    found, _ = gaps(evidence.requests)
    said = [
        f"Time: {spans}",
        f"Clinic: {sum(tally.counts.values())} deeds",
        *_table(tally.counts),
        "Broken: "
        + ", ".join(f"{n} x {kind.replace('_', ' ')}" for kind, n in _kills(attack).items()),
        "Accidents of the practice systems that struck: " + _hits(attack.accident_hits),
        f"Requests to the practice systems: {len(evidence.requests)}, "
        f"writes {len(evidence.writes)}, webhooks {len(evidence.webhooks)}",
        "Workers worked again after: " + _recoveries(evidence.recoveries),
        f"Gap between last read and write ({len(found)} writes): "
        f"median {quantile(found, 0.5) * 1000:.0f} ms, p99 {quantile(found, 0.99) * 1000:.0f} ms, "
        f"max {max(found, default=0) * 1000:.0f} ms",
        "Invariants:",
    ]
    for name, breaches in verdict.breaches.items():
        said.append(f"  {'BROKEN' if breaches else 'held  '}  {name.replace('_', ' ')}")
        said += [f"            {breach}" for breach in breaches[:MOST_SHOWN]]
        if len(breaches) > MOST_SHOWN:
            said.append(f"            … {len(breaches) - MOST_SHOWN} more")
    return said


def _table(counts: Counter[str]) -> list[str]:
    """One line a person: deed (answer) x number."""
    by_person: dict[str, list[str]] = defaultdict(list)
    for what, number in sorted(counts.items()):
        person, _, deed = what.partition(": ")
        by_person[person].append(f"{deed} x {number}")
    return [f"  {person}: {', '.join(deeds)}" for person, deeds in by_person.items()]


def _kills(attack: Attack) -> Counter[str]:
    return Counter(kind for _, kind in attack.injected if not kind.startswith("accident:"))


def _hits(hits: Mapping[str, int]) -> str:
    return ", ".join(f"{name} x {n}" for name, n in sorted(hits.items()) if n) or "none"


def _recoveries(found: Sequence[Recovery]) -> str:
    by_kind: dict[str, list[str]] = defaultdict(list)
    for one in found:
        by_kind[one.kind].append("never" if one.seconds is None else f"{one.seconds:.0f}")
    return "; ".join(f"{kind.replace('_', ' ')} {_joined(s)} s" for kind, s in by_kind.items())


def _joined(words: Iterable[str]) -> str:
    return ", ".join(words)
