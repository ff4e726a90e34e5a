"""The OnCall client.

OnCall lists everything the key may see, page by page, cancelled and past included: no filter, no
change time, no version, no search. Every page is therefore read to the end or the listing fails.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, urlsplit

from appointments.oncall import payloads
from emr_adapters.base import Adapter, AdapterConfig, Capabilities, Check, Page, Reading, Window
from emr_adapters.errors import AdapterError, BadResponse, NotConfigured, NotFound, OutcomeUnknown
from emr_adapters.http import Http
from emr_adapters.records import (
    ABSENT,
    AppointmentRecord,
    Changes,
    Draft,
    Group,
    Practitioner,
    State,
    Unreadable,
)
from emr_adapters.times import utc_now

MOST_PAGES: Final = 10_000  # a listing that is longer loops

CAPABILITIES: Final = Capabilities(
    holds_reference=True,
    can_create=True,
    can_cancel=True,
    accepts=frozenset({Group.WHEN, Group.TYPE, Group.PROVIDER, Group.LABEL}),
    accepts_on_create=frozenset(
        {Group.WHEN, Group.TYPE, Group.PROVIDER, Group.PEOPLE, Group.LABEL, Group.WHERE}
    ),
    states=frozenset(Group) - {Group.PROVIDER},
    mails_people=True,
)


class OnCallAdapter(Adapter):
    """Settings: ``region`` (ca, us), ``base_url`` (where requests really go; left out: the region's
    own), ``auth_scheme`` ("Token"). Secrets: ``api_key``."""

    kind: ClassVar[str] = "oncall"

    def __init__(
        self,
        config: AdapterConfig,
        *,
        before_request: Callable[[], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__(config, before_request=before_request, sleep=sleep, now=now)
        self.region = str(config.settings.get("region") or config.oncall_region)
        if self.region not in payloads.REGIONS:
            raise NotConfigured('The region of OnCall must be "ca" or "us".')
        key = config.secrets.get("api_key", "").strip()
        if not key:
            raise NotConfigured("OnCall's API key is missing.")
        scheme = str(config.settings.get("auth_scheme") or "Token").strip()
        self._http = Http(
            str(config.settings.get("base_url") or f"https://api.oncallhealth.{self.region}/"),
            name="OnCall",
            headers={"Authorization": f"{scheme} {key}", "Accept": "application/json"},
            before_request=before_request,
            retries=config.read_retries,
            sleep=sleep,
            now=now,
            explain=payloads.explain,
        )

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    # --- reading ---

    def list_appointments(self, window: Window | None = None, cursor: str | None = None) -> Page:
        """``window`` cannot be asked for. The cursor is the number of the page."""
        number = 1 if cursor is None else _cursor(cursor)
        items, total, following, began_at = self._page("appointments/", number)
        records: list[AppointmentRecord] = []
        unreadable: list[Unreadable] = []
        for item in items:
            try:
                records.append(self.parse(item))
            except Exception:  # whatever is wrong with one record, the others come (law 11)
                unreadable.append(_set_aside(item))
        return Page(
            records=tuple(records),
            began_at=began_at,
            next_cursor=None if following is None else str(following),
            unreadable=tuple(unreadable),
            total=total,
        )

    def _page(self, path: str, number: int) -> tuple[list[Any], int | None, int | None, datetime]:
        """(items, total, number of the next page or None, began_at) of one page of any list.

        Of ``next`` only the page number is used: its host is OnCall's, and may not be where we ask.
        ``previous`` is ignored: in OnCall's sample it is wrong.
        """
        answer = self._http.get(path, None if number == 1 else {"page": str(number)}, listing=True)
        body = answer.data
        if (
            not isinstance(body, Mapping)
            or not isinstance(body.get("results"), list)
            or "next" not in body
        ):
            raise BadResponse("OnCall sent a list in a form that is not known.")
        count = payloads.whole_number(body.get("count"))
        total = count if count is not None and count >= 0 else None
        following = None if body["next"] is None else _page_number(body["next"])
        if following is not None and (following <= number or following > MOST_PAGES):
            raise BadResponse("The listing of OnCall loops: it names a page that was already read.")
        return body["results"], total, following, answer.began_at

    def read(self, id: str) -> Reading:
        answer = self._http.get(self._path(id))
        if not isinstance(answer.data, Mapping):
            raise BadResponse("OnCall sent an appointment in a form that is not known.")
        try:
            record = self.parse(answer.data)
        except AdapterError:
            raise
        except Exception:
            raise BadResponse("OnCall sent an appointment that cannot be read.") from None
        if record.id != str(int(id)):
            raise BadResponse("OnCall answered with another appointment than the one asked for.")
        return Reading(record, answer.began_at)

    def parse(self, raw: Mapping[str, Any]) -> AppointmentRecord:
        return payloads.parse_appointment(raw)

    def list_practitioners(self) -> tuple[Practitioner, ...]:
        found: list[Practitioner] = []
        number: int | None = 1
        while number is not None:
            items, _, number, _ = self._page("providers/", number)
            found += (
                one
                for item in items
                if isinstance(item, Mapping) and (one := payloads.parse_provider(item))
            )
        return tuple(found)

    def _path(self, id: str) -> str:
        if not (id.isascii() and id.isdigit() and len(id) <= 18):
            raise NotFound("OnCall has no such record: its ids are numbers.")
        return f"appointments/{int(id)}/"  # with the slash: without it, Django redirects

    # --- writing ---

    def create(self, draft: Draft, *, idempotency_key: str) -> str:
        """OnCall knows no idempotency key: nothing stops a second create but the caller."""
        body = payloads.create_body(draft, self.region)
        answer = self._http.write("POST", "appointments/", body, hide=_private(draft))
        number = (
            payloads.number_of(answer.data.get("url"), "appointments")
            if isinstance(answer.data, Mapping)
            else None
        )
        if number is None:
            raise OutcomeUnknown("OnCall accepted the new visit but did not say which one it is.")
        return number

    def update(self, current: AppointmentRecord, changes: Changes) -> None:
        body = payloads.update_body(current, changes, self.region)
        if body:
            self._http.write("PATCH", self._path(current.id), body)

    def cancel(self, current: AppointmentRecord) -> None:
        """Cannot be undone, and mails everyone ("Cancel appointment")."""
        if current.state is not State.CANCELLED:
            self._http.write("PATCH", self._path(current.id), {"cancelled": True})

    # --- administration ---

    def check(self) -> Iterable[Check]:
        yield from _checked("OnCall's appointments", self._check_appointments)
        yield from _checked("OnCall's providers", self._check_providers)

    def _check_appointments(self) -> str:
        page = self.list_appointments()
        divisions = sorted(
            {
                place
                for record in page.records
                if record.places is not ABSENT
                for place in record.places
            },
            key=int,
        )
        seen = ", ".join(divisions) or "none"
        count = "an unknown number of" if page.total is None else page.total
        return (
            f"OnCall answers at {self._http.base_url} and the key is accepted. It sees {count} "
            f"appointments. Divisions seen on the first page: {seen}."
        )

    def _check_providers(self) -> str:
        return f"OnCall lists {len(self.list_practitioners())} providers."


def _checked(what: str, ask: Callable[[], str]) -> Iterator[Check]:
    try:
        yield Check(True, ask())
    except AdapterError as error:
        yield Check(False, f"{what}: {error}")


def _cursor(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 < int(text[:9]) <= MOST_PAGES):
        raise BadResponse("The listing cannot be continued from here.")
    return int(text)


def _page_number(link: object) -> int:
    """The page that a ``next`` link names; the first page's link has no number."""
    try:
        given = parse_qs(urlsplit(link).query).get("page", ["1"]) if isinstance(link, str) else [""]
        return int(given[-1])
    except ValueError:
        raise BadResponse("OnCall named a next page that cannot be read.") from None


def _set_aside(item: Any) -> Unreadable:
    number = (
        payloads.number_of(item.get("url"), "appointments") if isinstance(item, Mapping) else None
    )
    if number is None:
        return Unreadable("", "It has no address that ends in a number.", item)
    return Unreadable(number, "It is not in a form that is known.", item)


def _private(draft: Draft) -> list[str]:
    return [
        text
        for person in draft.people
        for text in (person.name, person.first_name, person.last_name, person.email)
    ]
