"""Who and what a remote system lists, for whoever sets up a mapping. Makes requests; raises AdapterError."""

from __future__ import annotations

from appointments import remotes
from appointments.configuration.examining import as_if_not_paused
from appointments.models import Connection
from emr_adapters.base import Place
from emr_adapters.records import Practitioner


def people_of(connection: Connection) -> tuple[Practitioner, ...]:
    return remotes.adapter_for(as_if_not_paused(connection)).list_practitioners()


def places_of(connection: Connection) -> tuple[Place, ...]:
    return remotes.adapter_for(as_if_not_paused(connection)).list_places()
