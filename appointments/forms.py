"""What staff can ask a list for, and what a click carries."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import django_filters  # type: ignore[import-untyped]
from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from appointments.core.brake import LONGEST_WIDENING_DAYS, BrakeLimits, widest
from appointments.core.kinds import Action, Kind, Operation
from appointments.core.values import fold_name
from appointments.models import (
    AppointmentPerson,
    Decision,
    Delivery,
    Division,
    Mismatch,
    Pair,
    Push,
    Run,
)
from appointments.resolution import with_whom
from appointments.wording import kind_label, operation_label
from appointments.wording.choices import LABELS
from emr_adapters.records import Side

MOST_TOKENS = 6
CALENDAR = range(1970, 2200)  # beyond it no instant can be made of a day in every zone


class ResolveForm(forms.Form):
    """One click on a mismatch. ``target_<action>`` is what was picked for that action."""

    action = forms.CharField(max_length=20)
    version = forms.CharField(max_length=64)
    confirmed = forms.BooleanField(required=False)

    def target(self) -> str:
        picked = str(self.data.get(f"target_{self.cleaned_data['action']}", ""))
        return picked.replace("\0", "")[:300]


class SearchForm(forms.Form):
    """A search for a person; always by POST, so that the name is in no address and no log."""

    q = forms.CharField(
        max_length=100,
        required=False,
        label=_("Patient"),
        widget=forms.TextInput(
            attrs={"type": "search", "placeholder": _("Name, e-mail or id"), "autocomplete": "off"}
        ),
    )

    @property
    def words(self) -> str:
        return str(self.cleaned_data["q"]).strip() if self.is_valid() else ""


class SavedFilterForm(forms.Form):
    """Keep the queue's present filters under a name."""

    name = forms.CharField(
        max_length=40,
        label=_("Keep these filters as"),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    default = forms.BooleanField(required=False, label=_("Open the queue with it"))


class WideningForm(forms.Form):
    """Let more changes of one kind through: how many, why, and until which day."""

    count = forms.IntegerField(min_value=1, label=_("Changes an hour"))
    percent = forms.FloatField(min_value=0, label=_("Per cent of the visits"))
    reason = forms.CharField(max_length=300, label=_("Why"))
    last_day = forms.DateField(
        label=_("Until the end of"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    def __init__(self, *args: Any, division: Division, visits: int, now: datetime, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.limits = BrakeLimits(division.brake_count, division.brake_percent)
        self.most = widest(self.limits, visits)
        self.today = now.astimezone(ZoneInfo(division.time_zone)).date()
        self.latest = self.today + timedelta(days=LONGEST_WIDENING_DAYS)
        self.fields["last_day"].widget.attrs |= {
            "min": self.today.isoformat(),
            "max": self.latest.isoformat(),
        }

    def clean_count(self) -> int:
        count: int = self.cleaned_data["count"]
        if count > self.most.count:
            raise forms.ValidationError(
                _(
                    "At most %(most)d: the brake cannot be switched off. More than half of the "
                    "division's visits at once always wait for a person."
                )
                % {"most": self.most.count}
            )
        return count

    def clean_percent(self) -> float:
        percent: float = self.cleaned_data["percent"]
        if percent > self.most.percent:
            raise forms.ValidationError(
                _("At most %(most)g %%: the brake cannot be switched off.")
                % {"most": self.most.percent}
            )
        return percent

    def clean_last_day(self) -> date:
        day: date = self.cleaned_data["last_day"]
        if not self.today <= day <= self.latest:
            raise forms.ValidationError(
                _("A day from today to %(latest)s: at most %(days)d days ahead.")
                % {"latest": self.latest.isoformat(), "days": LONGEST_WIDENING_DAYS}
            )
        return day

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        count, percent = data.get("count"), data.get("percent")
        if count is None or percent is None or self.errors:
            return data
        if count < self.limits.count or percent < self.limits.percent:
            raise forms.ValidationError(
                _("Less than the division's own limits (%(count)d, %(percent)g %%) is no widening.")
                % {"count": self.limits.count, "percent": self.limits.percent}
            )
        if (count, percent) == (self.limits.count, self.limits.percent):
            raise forms.ValidationError(_("These are the division's own limits already."))
        return data


# --- the queue ----------------------------------------------------------------------------------------


class QueueStatus:
    """What a person means by a state of the queue."""

    TODO, BY_HAND, SNOOZED, SETTLED = "todo", "waiting", "snoozed", "settled"
    CHOICES = [
        (TODO, _("To decide")),
        (BY_HAND, _("By hand")),
        (SNOOZED, _("Snoozed")),
        (SETTLED, _("Settled")),
    ]
    ROWS = {
        TODO: [Mismatch.Status.OPEN, Mismatch.Status.SETTLING],
        BY_HAND: [Mismatch.Status.WAITING],
        SNOOZED: [Mismatch.Status.OPEN, Mismatch.Status.SETTLING, Mismatch.Status.WAITING],
        SETTLED: [Mismatch.Status.CLOSED],
    }


def _day_field() -> django_filters.DateFilter:
    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    return django_filters.DateFilter(method="on_day", label=_("Day"), widget=widget)


class _OfDivision(django_filters.FilterSet):  # type: ignore[misc]
    """Lists that belong to divisions; ``divisions`` are those that the person may see."""

    starts: tuple[str, ...] = ("start",)

    def __init__(self, *args: Any, divisions: QuerySet[Division], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.divisions = list(divisions)
        choices = [(str(d.pk), d.name) for d in self.divisions]
        if "division" in self.filters:
            self.filters["division"].extra["choices"] = choices

    def on_day(self, rows: QuerySet[Any], _name: str, day: date) -> QuerySet[Any]:
        """Visits that start on that day, each in its own division's zone (law 13)."""
        wanted = Q(pk__in=[])
        if day.year not in CALENDAR:
            return rows.none()
        for key in {division.time_zone for division in self.divisions}:
            first, last = day_bounds(day, ZoneInfo(key))
            for name in self.starts:
                wanted |= Q(
                    **{
                        "division__time_zone": key,
                        f"{name}__gte": first,
                        f"{name}__lt": last,
                    }
                )
        return rows.filter(wanted)


def day_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """A local day as instants; 23 or 25 hours long when clocks change."""
    return (
        datetime.combine(day, time.min, zone),
        datetime.combine(day + timedelta(days=1), time.min, zone),
    )


class MismatchFilter(_OfDivision):
    WHOSE = [("mine", _("Mine")), ("nobody", _("Nobody's"))]
    division = django_filters.ChoiceFilter(label=_("Division"), empty_label=_("All divisions"))
    provider = django_filters.ChoiceFilter(label=_("Provider"), empty_label=_("All providers"))
    kind = django_filters.ChoiceFilter(
        label=_("Kind"),
        empty_label=_("All kinds"),
        choices=[(k.value, kind_label(k)) for k in Kind],
    )
    day = _day_field()
    who = django_filters.ChoiceFilter(
        label=_("With whom"),
        empty_label=_("Everybody's"),
        choices=WHOSE,
        method="of_whom",
    )

    class Meta:
        model = Mismatch
        fields: list[str] = []

    def __init__(self, *args: Any, providers: list[str], user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        self.filters["provider"].extra["choices"] = [(name, name) for name in providers]

    def of_whom(self, rows: QuerySet[Mismatch], _name: str, who: str) -> QuerySet[Mismatch]:
        return with_whom(rows, self.user, who)


class VisitFilter(_OfDivision):
    division = django_filters.ChoiceFilter(label=_("Division"), empty_label=_("All divisions"))
    day = _day_field()

    class Meta:
        model = Pair
        fields: list[str] = []

    starts = ("oncall__start", "emr__start")


class RememberedFilter(_OfDivision):
    """Remembered decisions; ``people`` are (number, name) of those who made them."""

    IN_FORCE, ENDED, ALL = "in_force", "ended", "all"
    ACTIONS = (Action.LEAVE_DIFFERENT, Action.BY_HAND, Action.LINK, Action.NOT_A_MATCH)
    state = django_filters.ChoiceFilter(
        label=_("State"),
        empty_label=None,
        choices=[(IN_FORCE, _("Not ended")), (ENDED, _("Ended")), (ALL, _("All"))],
        method="in_state",
    )
    action = django_filters.ChoiceFilter(
        label=_("Decision"),
        empty_label=_("All decisions"),
        choices=[(str(action), LABELS[action]) for action in ACTIONS],
    )
    who = django_filters.ChoiceFilter(
        label=_("By"), empty_label=_("Everybody"), field_name="user_id"
    )
    division = django_filters.ChoiceFilter(
        label=_("Division"), empty_label=_("All divisions"), field_name="mismatch__division"
    )

    class Meta:
        model = Decision
        fields: list[str] = []

    def __init__(self, *args: Any, people: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.filters["who"].extra["choices"] = people

    def in_state(self, rows: QuerySet[Decision], _name: str, state: str) -> QuerySet[Decision]:
        if state == self.ALL:
            return rows
        return rows.filter(ended_at__isnull=state == self.IN_FORCE)


class PushFilter(_OfDivision):
    division = django_filters.ChoiceFilter(label=_("Division"), empty_label=_("All divisions"))
    status = django_filters.ChoiceFilter(
        label=_("State"), empty_label=_("All states"), choices=Push.Status.choices
    )

    class Meta:
        model = Push
        fields: list[str] = []


class AutomaticFilter(forms.Form):
    """Which automatic writes: since when by the clocks of each division, where, what, with which end."""

    since = forms.DateTimeField(
        required=False,
        label=_("Since"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    division = forms.ChoiceField(required=False, label=_("Division"))
    side = forms.ChoiceField(
        required=False,
        label=_("Written to"),
        choices=[("", _("Both systems")), ("oncall", _("OnCall")), ("emr", _("EMR"))],
    )
    operation = forms.ChoiceField(required=False, label=_("What"))
    outcome = forms.ChoiceField(
        required=False,
        label=_("Outcome"),
        choices=[
            ("", _("All outcomes")),
            ("done", _("Done")),
            ("failed", _("Failed")),
            ("open", _("Not confirmed yet")),
        ],
    )

    def __init__(self, data: Any, *, divisions: list[Division], since: datetime) -> None:
        super().__init__(data, initial={"since": since})
        every = [("", _("All divisions")), *((str(d.pk), d.name) for d in divisions)]
        self.fields["division"].choices = every  # type: ignore[attr-defined]
        kinds = [(o.value, operation_label(o.value).capitalize()) for o in Operation]
        self.fields["operation"].choices = [("", _("Everything")), *kinds]  # type: ignore[attr-defined]

    def clean_since(self) -> datetime | None:
        """By clocks without a zone: which one counts is each division's matter."""
        since: datetime | None = self.cleaned_data["since"]
        if since is None:
            return None
        if since.year not in CALENDAR:
            raise forms.ValidationError(_("There is no such day in the calendar of a clinic."))
        return since.replace(tzinfo=None)


class DeliveryFilter(django_filters.FilterSet):  # type: ignore[misc]
    status = django_filters.ChoiceFilter(
        label=_("State"), empty_label=_("All states"), choices=Delivery.Status.choices
    )

    class Meta:
        model = Delivery
        fields: list[str] = []


class RunFilter(django_filters.FilterSet):  # type: ignore[misc]
    status = django_filters.ChoiceFilter(
        label=_("State"), empty_label=_("All states"), choices=Run.Status.choices
    )

    class Meta:
        model = Run
        fields: list[str] = []


# --- searching for people -----------------------------------------------------------------------------


def mirrored_people(words: str) -> QuerySet[AppointmentPerson]:
    """People of mirrored visits whose name holds every word (accents and case aside), or e-mail."""
    people = AppointmentPerson.objects.all()
    if "@" in words:
        return people.filter(email__contains=words.casefold())
    tokens = fold_name(words).split()[:MOST_TOKENS]
    if not tokens:
        return people.none()
    for token in tokens:
        people = people.filter(name__contains=token)
    return people


def search_mismatches(rows: QuerySet[Mismatch], words: str) -> QuerySet[Mismatch]:
    if not words:
        return rows
    found = mirrored_people(words).values("appointment_id")
    return rows.filter(
        Q(patient__icontains=words)
        | Q(oncall_id=words)
        | Q(emr_id=words)
        | Q(pair__oncall_id__in=found)
        | Q(pair__emr_id__in=found)
    )


def search_pairs(rows: QuerySet[Pair], words: str) -> QuerySet[Pair]:
    if not words:
        return rows
    found = mirrored_people(words).values("appointment_id")
    wanted = Q(oncall_id__in=found) | Q(emr_id__in=found)
    for side in Side:
        wanted |= Q(**{f"{side}__remote_id": words})
    return rows.filter(wanted)
