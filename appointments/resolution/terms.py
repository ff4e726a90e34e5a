"""Words of this stage: how long a click can be taken back, and why one is not taken."""

from __future__ import annotations

from typing import Final

from appointments.models import Mismatch, Pair

UNDO_SECONDS: Final = 8


class Stale(Exception):
    """What the person decided on is no longer what is true; ``mismatch`` is the fresh one."""

    def __init__(self, mismatch: Mismatch) -> None:
        super().__init__("the mismatch has changed")
        self.mismatch = mismatch


class NotOffered(Exception):
    """The action is not among the choices, or not now; ``reason`` is a sentence for the person."""

    def __init__(self, reason: object) -> None:
        super().__init__(str(reason))
        self.reason = str(reason)


def locked(mismatch_id: int) -> Mismatch:
    """The mismatch, locked after its pair: comparing takes them in this order, and the other way round
    a click and a comparison would wait for each other. Raises Mismatch.DoesNotExist."""
    pair_id = Mismatch.objects.values_list("pair_id", flat=True).get(pk=mismatch_id)
    Pair.objects.select_for_update().filter(pk=pair_id or 0).first()
    return Mismatch.objects.select_for_update().get(pk=mismatch_id)
