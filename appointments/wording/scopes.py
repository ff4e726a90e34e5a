"""Why a visit needs no partner and no agreement (law 1)."""

from __future__ import annotations

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from appointments.core.kinds import Scope
from appointments.models import Pair

SCOPES: Final[dict[str, Promise]] = {
    Scope.CANCELLED: gettext_lazy("It is cancelled: nothing has to agree."),
    Scope.PAST: gettext_lazy(
        "It has begun, and has no partner on the other side: too late to create one."
    ),
    Scope.OUTCOME: gettext_lazy("It already has an outcome: nothing has to agree."),
    Scope.MESSAGE: gettext_lazy("It is a message without a partner: messages stay where they are."),
    Scope.SKIPPED_TYPE: gettext_lazy("Visits of its type are not for OnCall (type table)."),
    Scope.BLOCK: gettext_lazy("It is blocked time in the calendar, not a visit."),
    Scope.NOT_YET: gettext_lazy("It is proposed or wait-listed: not a visit yet."),
    Scope.NO_DIVISION: gettext_lazy("No division of ours is set up for its place."),
    Scope.OUTSIDE_WINDOW: gettext_lazy("It is outside the days that are compared."),
    Scope.NEVER: gettext_lazy("The division's policy says never to carry this over."),
    Scope.CANDIDATE: gettext_lazy(
        "It could be the partner of another visit, and is asked about there."
    ),
    Scope.UNMAPPED: gettext_lazy(
        "Its provider or type is not set up yet: an administrator is asked about that value."
    ),
    Scope.UNPROVEN: gettext_lazy(
        "The other side has not been listed completely yet: nothing is concluded before."
    ),
}


def scope_sentence(scope_code: str, pair: Pair | None = None) -> str:
    """Why a visit needs no agreement (law 1)."""
    text = SCOPES.get(scope_code)
    return str(text) if text else _("It is out of scope.")
