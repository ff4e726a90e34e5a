"""The patients behind the references: an appointment has their ids, not their e-mail addresses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from emr_adapters.errors import BadResponse, NotFound, PermanentError, Rejected, Unsupported
from emr_adapters.fhir_r4.actors import PATIENT, actors, dicts, fetchable, text
from emr_adapters.http import Http

BATCH: Final = 50  # patients asked for at once
_KEPT: Final = ("resourceType", "id", "active", "name", "telecom", "birthDate")


class Patients:
    """Fetches each patient once per adapter instance. A patient who cannot be read is {}."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._known: dict[str, Mapping[str, Any]] = {}
        self._batch_works = True

    def of(self, resources: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
        """Every patient that ``resources`` point at, by reference. Raises TemporaryError rather than
        leaving somebody out for want of an answer."""
        wanted = {
            actor.id
            for resource in resources
            for actor in actors(resource, self._http.base_url)
            if actor.kind == PATIENT and fetchable(actor.id)
        }
        missing = sorted(wanted - self._known.keys())
        for first in range(0, len(missing), BATCH):
            self._fetch(missing[first : first + BATCH])
        return {one: self._known[one] for one in sorted(wanted)}

    def _fetch(self, wanted: Sequence[str]) -> None:
        if self._batch_works and len(wanted) > 1:
            self._fetch_together(wanted)
        for one in wanted:
            if one not in self._known:
                self._known[one] = self._fetch_one(one)

    def _fetch_together(self, wanted: Sequence[str]) -> None:
        """``Patient?_id=a,b``: not served everywhere, so only what really came back is believed."""
        ids = ",".join(one.rpartition("/")[2] for one in wanted)
        try:
            answer = self._http.get(
                "Patient", {"_id": ids, "_count": str(len(wanted))}, listing=True
            )
            listed = resources_in(answer.data, PATIENT)
        except PermanentError:  # a single read will tell refused credentials from a refused search
            self._batch_works = False
            return
        found = {f"{PATIENT}/{text(one.get('id'))}": trimmed(one) for one in listed}
        came = found.keys() & set(wanted)
        self._known |= {one: found[one] for one in came}
        self._batch_works = bool(came)

    def _fetch_one(self, reference: str) -> Mapping[str, Any]:
        """{} for a patient who is refused, gone or garbled: the visit comes without its people."""
        kind, _, id = reference.partition("/")
        try:
            answer = self._http.get(f"{kind}/{quote(id, safe='')}", accept={403})
        except (BadResponse, NotFound, Rejected, Unsupported):
            return {}
        whole = isinstance(answer.data, Mapping) and answer.data.get("resourceType") == PATIENT
        return trimmed(answer.data) if whole else {}


def trimmed(patient: Mapping[str, Any]) -> dict[str, Any]:
    """Only what identifies and reaches the patient; the rest is not ours to keep."""
    return {name: patient[name] for name in _KEPT if name in patient}


def resources_in(bundle: object, kind: str) -> list[Mapping[str, Any]]:
    """The resources of one kind in a searchset, without outcomes and includes of another kind."""
    if not isinstance(bundle, Mapping) or bundle.get("resourceType") != "Bundle":
        raise BadResponse("The EMR answered a search with something that is not a bundle.")
    if not isinstance(bundle.get("entry", []), list):
        raise BadResponse("The EMR answered a search with a bundle that cannot be read.")
    return [
        resource
        for entry in dicts(bundle.get("entry"))
        if isinstance(resource := entry.get("resource"), Mapping)
        and resource.get("resourceType") == kind
    ]


def empty_entries(bundle: Mapping[str, Any]) -> list[Any]:
    """Listed, but without the resource itself: not to be lost in silence."""
    return [
        entry
        for entry in bundle.get("entry") or ()
        if not isinstance(entry, Mapping) or not isinstance(entry.get("resource"), Mapping)
    ]
