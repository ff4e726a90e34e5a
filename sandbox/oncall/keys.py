"""``Authorization: Token <key>``: a key acts as a coordinator or as one provider."""

from __future__ import annotations

from django.db.models import QuerySet
from rest_framework.authentication import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied

from sandbox.oncall.models import Appointment, Key, Provider
from sandbox.world import switches

COORDINATOR_KEY = "practice-coordinator-key"
"""Always there, also after a reset: sees the whole organisation."""


class Caller:
    """Whom a key stands for."""

    is_authenticated = True

    def __init__(self, key: Key):
        self.key = key
        self.provider: Provider | None = key.provider

    def appointments(self) -> QuerySet[Appointment]:
        """Every appointment the caller may see, cancelled and past ones included."""
        found = Appointment.objects.all()
        if self.provider is not None:
            found = found.filter(provider=self.provider)
        reach = list(self.key.divisions.all())
        return found.filter(division__in=reach) if reach else found

    def refuse_if_hidden(self, number: str) -> None:
        """Out of reach is 404 unless the switch says 403."""
        telling = switches.get("oncall.out_of_reach") == "403"
        if telling and Appointment.objects.filter(pk=number).exists():
            raise PermissionDenied


class KeyAuthentication(TokenAuthentication):
    """DRF's own token scheme over the practice keys, so its answers are DRF's."""

    model = Key

    def authenticate_credentials(self, key: str) -> tuple[Caller, Key]:
        try:
            found = Key.objects.select_related("provider").get(key=key)
        except Key.DoesNotExist:
            raise AuthenticationFailed("Invalid token.") from None
        return Caller(found), found
