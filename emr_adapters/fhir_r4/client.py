"""The FHIR adapter: asks and sends; what resources mean is in ``reading`` and ``writing``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, ClassVar, Final
from urllib.parse import quote

from emr_adapters.base import (
    Adapter,
    AdapterConfig,
    Capabilities,
    Check,
    Page,
    Place,
    Reading,
    Window,
)
from emr_adapters.errors import (
    AdapterError,
    BadResponse,
    ChangedRemotely,
    NotConfigured,
    OutcomeUnknown,
    PermanentError,
    Rejected,
    Unsupported,
)
from emr_adapters.fhir_r4 import writing
from emr_adapters.fhir_r4.actors import (
    LOCATION,
    PATIENT,
    actors,
    contact,
    fetchable,
    person_name,
    text,
)
from emr_adapters.fhir_r4.addressing import authorization, id_of, path, positive
from emr_adapters.fhir_r4.capability import Statement, read_statement
from emr_adapters.fhir_r4.listing import Cursor, following, refuse_outcome, trusted_total
from emr_adapters.fhir_r4.outcome import explain
from emr_adapters.fhir_r4.people import Patients, empty_entries, resources_in
from emr_adapters.fhir_r4.reading import Profile, parse_appointment, person, reference_system
from emr_adapters.http import Answer, Http
from emr_adapters.records import (
    ABSENT,
    AppointmentRecord,
    Changes,
    Draft,
    Person,
    Practitioner,
    State,
    Unreadable,
)
from emr_adapters.times import format_instant, utc_now

JSON: Final = "application/fhir+json"
PEOPLE_PAGES: Final = 20  # of a search for people; more matches are no help to anyone
_OFF: Final = (State.CANCELLED, State.REMOVED)


class FhirR4Adapter(Adapter):
    """Settings: ``base_url``; ``page_size`` (100); ``booked_statuses`` (statuses that are visits here
    though FHIR calls them proposals); ``writable`` (true or false, over what the server states).
    Secrets: ``token`` (bearer), or ``username`` and ``password``, or none."""

    kind: ClassVar[str] = "fhir_r4"
    uses_secrets: ClassVar[tuple[str, ...]] = ("token", "username", "password")

    def __init__(
        self,
        config: AdapterConfig,
        *,
        before_request: Callable[[], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__(config, before_request=before_request, sleep=sleep, now=now)
        settings = config.settings
        self._http = Http(
            str(settings.get("base_url") or ""),
            name="The EMR",
            headers={"Accept": JSON, "Content-Type": JSON, **authorization(config.secrets)},
            before_request=before_request,
            retries=config.read_retries,
            sleep=sleep,
            now=now,
            explain=explain,
        )
        self._page_size = positive(settings.get("page_size", 100))
        self._patients = Patients(self._http)
        self._profile = Profile(
            config.oncall_region,
            self._http.base_url,
            frozenset(settings.get("booked_statuses") or ()),
        )

    # --- what the server can do ---

    @cached_property
    def statement(self) -> Statement:
        try:
            return read_statement(self._http.get("metadata", listing=True).data)
        except NotConfigured:
            raise
        except PermanentError:
            return Statement()

    @property
    def capabilities(self) -> Capabilities:
        return self.statement.capabilities(
            writable=bool(self.config.settings.get("writable", True))
        )

    # --- reading ---

    def list_appointments(self, window: Window | None = None, cursor: str | None = None) -> Page:
        """Sorted by start and then id: sorting by a value that ties loses rows between pages on every
        server that was measured. ``total`` is None where it cannot be the count of the window: the
        server gave rows outside it (they are dropped here), or counts the rows of the page.
        """
        params: list[tuple[str, str]] = []
        if window is not None:
            params = [
                ("date", f"ge{format_instant(window.start)}"),
                ("date", f"lt{format_instant(window.end)}"),
            ]
        return self._page(params, ("date", "_id"), cursor, window)

    def list_changes(self, since: datetime, cursor: str | None = None) -> Page:
        return self._page(
            [("_lastUpdated", f"ge{format_instant(since)}")], ("_lastUpdated", "_id"), cursor, None
        )

    def _page(
        self,
        params: list[tuple[str, str]],
        sort: tuple[str, ...],
        cursor: str | None,
        window: Window | None,
    ) -> Page:
        held = None if cursor is None else Cursor.load(cursor)
        answer = (
            self._first(params, sort) if held is None else self._http.get(held.url, listing=True)
        )
        listed = resources_in(answer.data, "Appointment")
        refuse_outcome(answer.data)
        rest = following(answer.data, answer.url, self._http.base_url, held)
        if rest is not None:
            self._http.url(rest.url)  # a foreign address is refused here, not at the next page
        patients = self._patients.of(listed)
        records: list[AppointmentRecord] = []
        unreadable: list[Unreadable] = []
        for resource in listed:
            try:
                records.append(self._record(resource, patients))
            except Exception:  # whatever is wrong with one resource, the others come (law 11)
                id = text(resource.get("id"))
                unreadable.append(Unreadable(id, "It is not in a form that is known.", resource))
        unreadable += (
            Unreadable("", "It is empty.", entry) for entry in empty_entries(answer.data)
        )
        inside = tuple(one for one in records if window is None or _inside(one, window))
        dropped = len(records) - len(inside) + (held.dropped if held else 0)
        alone = held is None and rest is None
        return Page(
            records=inside,
            began_at=answer.began_at,
            next_cursor=None if rest is None else replace(rest, dropped=dropped).dump(),
            unreadable=tuple(unreadable),
            total=None if dropped else trusted_total(answer.data, len(listed), alone=alone),
        )

    def _first(self, params: list[tuple[str, str]], sort: tuple[str, ...]) -> Answer:
        counted = [*params, ("_count", str(self._page_size))]
        try:
            return self._search("Appointment", [*counted, ("_sort", ",".join(sort))])
        except Rejected:  # a server that cannot sort has an order of its own
            return self._search("Appointment", counted)

    def _search(self, kind: str, params: list[tuple[str, str]]) -> Answer:
        return self._http.get(kind, params, listing=True)

    def read(self, id: str) -> Reading:
        answer = self._http.get(path(id))
        if not isinstance(answer.data, Mapping) or text(answer.data.get("id")) != id:
            raise BadResponse("The EMR answered with another record than the one asked for.")
        patients = self._patients.of([answer.data])
        record = self._record(answer.data, patients, answer.headers.get("ETag"))
        return Reading(record, answer.began_at)

    def _record(
        self,
        resource: Mapping[str, Any],
        patients: Mapping[str, Mapping[str, Any]],
        version: str | None = None,
    ) -> AppointmentRecord:
        wanted = {actor.id for actor in actors(resource, self._http.base_url)}
        own = {id: patient for id, patient in patients.items() if id in wanted}
        return parse_appointment(resource, own, self._profile, version)

    def find_by_reference(self, reference: str) -> tuple[Reading, ...]:
        """One search per spelling, not one with a comma: a server that takes a comma for part of the
        value finds nothing, and "nothing" would lead to a second visit."""
        found: dict[str, Reading] = {}
        system = reference_system(self._profile.region)
        for value in writing.reference_values(reference, self._profile.region):
            params = [("identifier", f"{system}|{value}"), ("_count", str(self._page_size))]
            for answer in self._pages("Appointment", params):
                listed = resources_in(answer.data, "Appointment")
                patients = self._patients.of(listed)
                for resource in listed:
                    record = self._record(resource, patients)
                    if record.reference == reference:  # the server may have ignored the parameter
                        found.setdefault(record.id, Reading(record, answer.began_at))
        return tuple(found.values())

    def _pages(self, kind: str, params: list[tuple[str, str]]) -> Iterator[Answer]:
        answer, cursor = self._search(kind, params), None
        while True:
            if not isinstance(answer.data, Mapping):
                raise BadResponse("The EMR answered a search with something that is not a bundle.")
            refuse_outcome(answer.data)
            yield answer
            cursor = following(answer.data, answer.url, self._http.base_url, cursor)
            if cursor is None:
                return
            answer = self._http.get(cursor.url, listing=True)

    def parse(self, raw: Mapping[str, Any]) -> AppointmentRecord:
        return parse_appointment(
            raw["resource"], raw.get("patients") or {}, self._profile, raw.get("version")
        )

    def find_people(self, *, email: str, name: str) -> tuple[Person, ...]:
        """By e-mail, then by name. The words travel in a body: an address ends in logs (law 14)."""
        found: dict[str, Person] = {}
        for one in self._search_people("email", email.strip()):
            if one.email.casefold() == email.strip().casefold():
                found.setdefault(one.id, one)
        # Servers match a name word by word from its beginning: ask for the last, compare the rest.
        parts = name.replace(",", " ").casefold().split()
        for one in self._search_people("name", parts[-1] if parts else ""):
            known = (
                f"{one.name} {one.first_name} {one.last_name}".replace(",", " ").casefold().split()
            )
            if {parts[0], parts[-1]} <= set(known):
                found.setdefault(one.id, one)
        return tuple(found.values())

    def _search_people(self, parameter: str, value: str) -> Iterator[Person]:
        if not value:
            return
        answer = self._http.search(
            f"{PATIENT}/_search", {parameter: value, "_count": str(self._page_size)}
        )
        cursor = None
        for _ in range(PEOPLE_PAGES):
            for patient in resources_in(answer.data, PATIENT):
                reference = f"{PATIENT}/{text(patient.get('id'))}"
                if patient.get("active") is not False and fetchable(reference):
                    yield person(patient, id=reference)
            cursor = following(answer.data, answer.url, self._http.base_url, cursor)
            if cursor is None:
                return
            answer = self._http.get(cursor.url, listing=True)
        raise BadResponse("The EMR finds too many patients to choose from.")

    def list_practitioners(self) -> tuple[Practitioner, ...]:
        found = []
        for answer in self._pages("Practitioner", [("_count", str(self._page_size))]):
            for one in resources_in(answer.data, "Practitioner"):
                if one.get("active") is not False and text(one.get("id")):
                    reference = f"Practitioner/{text(one.get('id'))}"
                    found.append(
                        Practitioner(reference, person_name(one)[0], contact(one, "email"))
                    )
        return tuple(dict.fromkeys(found))

    def list_places(self) -> tuple[Place, ...]:
        found = []
        for answer in self._pages(LOCATION, [("_count", str(self._page_size))]):
            for one in resources_in(answer.data, LOCATION):
                if one.get("status") != "inactive" and text(one.get("id")):
                    found.append(Place(f"{LOCATION}/{text(one.get('id'))}", text(one.get("name"))))
        return tuple(dict.fromkeys(found))

    # --- writing ---

    def create(self, draft: Draft, *, idempotency_key: str) -> str:
        """Looks for the reference before and asks the server to look again (If-None-Exist): on some
        servers either alone lets a second one through. A visit that is off is no answer to the search.
        """
        resource = writing.created(draft, self._profile.region)
        headers = {"Prefer": "return=representation"}
        if draft.reference is not None and self.capabilities.find_by_reference:
            carrying = self.find_by_reference(draft.reference)
            if id := _live(carrying):
                return id
            if not carrying:
                identifier = resource["identifier"][0]
                query = quote(f"{identifier['system']}|{identifier['value']}", safe="")
                headers["If-None-Exist"] = f"identifier={query}"
        hide = [word for one in draft.people for word in (one.name, one.email)]
        try:
            answer = self._http.write("POST", "Appointment", resource, headers=headers, hide=hide)
        except ChangedRemotely:  # 412: several by now; or 409, a rule of the server's own
            carrying = () if draft.reference is None else self.find_by_reference(draft.reference)
            if id := _live(carrying):
                return id
            text = "The EMR refused the new visit: it is in conflict with another."
            raise Rejected(text) from None
        id = id_of(answer)
        if id is None:
            raise OutcomeUnknown("The EMR accepted the new visit but did not say which one it is.")
        return id

    def update(self, current: AppointmentRecord, changes: Changes) -> None:
        resource = writing.updated(current, changes, self._profile.region)
        if resource is not None:
            self._put(current, resource)

    def cancel(self, current: AppointmentRecord) -> None:
        if current.state is not State.CANCELLED:
            self._put(current, writing.cancelled(current))

    def _put(self, current: AppointmentRecord, resource: Mapping[str, Any]) -> None:
        headers = {"If-Match": current.version} if current.version else {}
        people = () if current.people is ABSENT else current.people
        hide = [one.name for one in people]
        self._http.write("PUT", path(current.id), resource, headers=headers, hide=hide)

    # --- administration ---

    def check(self) -> Iterable[Check]:
        yield from _checked("The CapabilityStatement", self._check_statement)
        yield from _checked("The appointments", self._check_appointments)
        yield from _checked("The patients", self._check_patients)

    def _check_statement(self) -> str:
        if not self.statement.known:
            raise Unsupported(
                "the server does not say what it can do with appointments (no /metadata); plain R4 is "
                "assumed. If it must not be written to, set writable = false."
            )
        can = self.capabilities
        words = [
            ("find changes", can.list_changes),
            ("find a visit by OnCall's reference", can.find_by_reference),
            ("create", can.can_create),
            ("change and cancel", can.can_cancel),
            ("guard writes with versions", can.has_versions),
        ]
        able = ", ".join(word for word, yes in words if yes) or "only read"
        return (
            f"FHIR {self.statement.fhir_version or 'of unknown version'} answers. It can: {able}."
        )

    def _check_appointments(self) -> str:
        now = self.now().astimezone(UTC).replace(microsecond=0)
        page = self.list_appointments(Window(now, now.replace(year=now.year + 1, day=1)))
        count = len(page.records) if page.total is None else page.total
        return f"Appointments can be read; {count} in the next months."

    def _check_patients(self) -> str:
        answer = self._search(PATIENT, [("_count", "1")])
        resources_in(answer.data, PATIENT)
        return "Patients can be read."


def _checked(what: str, ask: Callable[[], str]) -> Iterator[Check]:
    try:
        yield Check(True, ask())
    except AdapterError as error:
        yield Check(False, f"{what}: {error}")


def _inside(record: AppointmentRecord, window: Window) -> bool:
    """A row without a readable start is kept: nothing says that it lies outside."""
    return not isinstance(record.start, datetime) or window.start <= record.start < window.end


def _live(carrying: Iterable[Reading]) -> str | None:
    """The id of the one visit among ``carrying`` that is on; None without one."""
    live = [reading.record.id for reading in carrying if reading.record.state not in _OFF]
    if len(live) > 1:
        raise Rejected("More than one visit in the EMR carries this reference.")
    return live[0] if live else None
