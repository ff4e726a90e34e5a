"""Stage 2: mirror rows → core → open, refresh, close mismatches; queue automatic writes.

``pairing`` finds which two records are one visit, ``comparing`` carries out what the core decides
about one visit, ``listing`` keeps the questions that are about a value instead of a visit.
"""

from __future__ import annotations

from appointments.mismatches.comparing import compare_due, compare_pair, link_and_compare
from appointments.mismatches.pairing import InHand, link, look_up_due, pair_due, unlink

__all__ = [
    "InHand",
    "compare_due",
    "compare_pair",
    "link",
    "link_and_compare",
    "look_up_due",
    "pair_due",
    "unlink",
]
