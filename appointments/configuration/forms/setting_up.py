"""The set-up's forms: those of the administration with fewer fields and more words about each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from zoneinfo import available_timezones

from django import forms
from django.utils.translation import gettext_lazy as _

from appointments.configuration import rules
from appointments.configuration.forms.connections import SECRETS, TOKENS, ConnectionForm
from appointments.configuration.forms.divisions import DivisionForm
from appointments.configuration.forms.fields import MaskedInput
from appointments.models import Connection, TypeRule
from emr_adapters.base import Place
from emr_adapters.records import Side
from emr_adapters.registry import adapter_class

# In the clinics' order, from east to west.
NEAR_ZONES: Final = (
    (
        _("Canada"),
        (
            *("America/St_Johns", "America/Halifax", "America/Toronto", "America/Winnipeg"),
            *("America/Regina", "America/Edmonton", "America/Whitehorse", "America/Vancouver"),
        ),
    ),
    (
        _("United States"),
        (
            *("America/New_York", "America/Chicago", "America/Denver", "America/Phoenix"),
            *("America/Los_Angeles", "America/Anchorage", "Pacific/Honolulu"),
        ),
    ),
)

HELP: Final[Mapping[str, Any]] = {
    "name": _("A short name for this account, without spaces. It stands on screens and in alerts."),
    "region": _("Where your OnCall account is kept. OnCall's own addresses begin with it."),
    "base_url": _(
        "Leave it empty for the real OnCall. Only for a practice system or a proxy in between."
    ),
    "auth_scheme": _('Leave it empty unless OnCall told you another word than "Token".'),
    "api_key": _("From OnCall's Customer Success Manager. It decides which visits are seen."),
    "webhook_token": _(
        "Any long random text of letters and digits that you make up: the secret end of the address "
        "that OnCall calls when a visit changes. Without it changes are found later, by reading."
    ),
    "webhook_token_2": _("Only while the first is being replaced: both are valid meanwhile."),
    "token": _("The access token that your EMR's vendor gave you for SyncPortal."),
    "username": _("Instead of a token, if your EMR asks for a user name and a password."),
    "password": _("Belongs to the user name."),
    "client_secret": _("The client secret that your EMR's vendor gave you."),
    "private_key": _(
        "The whole key file, from the line BEGIN to the line END. Paste it with its line breaks."
    ),
    "requests_per_second": _(
        "How fast SyncPortal may ask. Two a second is gentle; ask the vendor before you raise it."
    ),
    "more_settings": _("Only if the adapter's page in the handbook names one. No passwords here."),
    "forget": _("Tick what is not used any more. It is removed when you save."),
}
EMR_ADDRESS: Final = _(
    "The address of the EMR's interface, as its vendor gave it to you. It begins with https://"
)
# Not passwords: a browser that sees several of those in one form offers to keep the wrong one.
MASKED: Final = ("api_key", *TOKENS, "token", "username", "client_secret")
STORED: Final = _("One is stored. Leave this empty to keep it.")


class InSentences:
    """What the rules say completes "key: …"; beside a field it becomes a sentence with its label."""

    fields: dict[str, forms.Field]

    def add_error(self, field: str | None, error: Any) -> None:
        if isinstance(error, forms.ValidationError) and hasattr(error, "message"):
            error = error.message if not error.params else error
        if field and isinstance(error, str) and error[:1].islower():
            label = self.fields[field].label or field.replace("_", " ").capitalize()
            error = f"{label} {error}."
        super().add_error(field, error)  # type: ignore[misc]


class SetUpConnectionForm(InSentences, ConnectionForm):
    """One adapter's fields only. Which it is, the address says and not the person."""

    def __init__(self, *args: Any, kind: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind
        oncall = kind == rules.ONCALL
        adapter: Any = self.fields["adapter"]
        adapter.choices = [(kind, kind)]
        adapter.widget = forms.HiddenInput()
        self.initial["adapter"] = kind
        for name in self._not_asked(oncall=oncall):
            del self.fields[name]
        for name in MASKED:
            if name in self.fields:
                self.fields[name].widget = MaskedInput()
        for name, field in self.fields.items():
            field.help_text = HELP.get(name, field.help_text)
            field.widget.attrs.setdefault("autocomplete", "off")  # nothing here is the person's own
        if oncall:
            region: Any = self.fields["region"]
            region.required = True
            self.fields["api_key"].required = "api_key" not in self.stored
        else:
            self.fields["base_url"].help_text = EMR_ADDRESS
            self.fields["base_url"].required = True
        self.fields["base_url"].label = _("Address")
        self._mark_stored()
        if not self.instance.pk:
            self.initial.setdefault("name", "main")
            self.initial["name"] = self.initial["name"] or "main"

    def _not_asked(self, *, oncall: bool) -> Iterable[str]:
        stored = self.stored
        if oncall:
            asked = {"api_key", *TOKENS}
            unused = {"more_settings"}
        else:
            asked = set(adapter_class(self.kind).uses_secrets or rules.SECRET_KEYS)
            unused = {"region", "auth_scheme"}
        # A credential that is stored must stay in sight, to be replaced or removed.
        unused |= {name for name in SECRETS if name not in asked and name not in stored}
        if not stored and not self.unreadable:
            unused.add("forget")
        return unused

    def _mark_stored(self) -> None:
        stored = self.stored
        for name in SECRETS:
            if name in self.fields and name in stored:
                self.fields[name].help_text = STORED

    @property
    def main_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name not in (*FURTHER, "adapter")]

    @property
    def further_fields(self) -> list[forms.BoundField]:
        """What hardly anybody changes: folded away, unless something is wrong there."""
        return [self[name] for name in FURTHER if name in self.fields]

    @property
    def further_open(self) -> bool:
        return self.unreadable or any(name in self.errors for name in FURTHER)


FURTHER: Final = (
    "auth_scheme",
    "webhook_token_2",
    "requests_per_second",
    "more_settings",
    "forget",
)


class SetUpDivisionForm(InSentences, DivisionForm):
    """Which visits, in which time, how far. Policy, titles and the brake keep their safe defaults."""

    known_locations = forms.MultipleChoiceField(
        required=False, widget=forms.CheckboxSelectMultiple, label=_("Places in the EMR")
    )

    class Meta(DivisionForm.Meta):
        fields = [
            "name",
            "oncall",
            "oncall_division",
            "emr",
            "emr_locations",
            "time_zone",
            "system_of_record",
            "window_back_days",
            "window_ahead_days",
            "contact",
        ]
        help_texts = {
            "name": _(
                "How staff call this clinic or site. It is on every page and in every alert."
            ),
            "oncall": _("The OnCall account that this division's visits are in."),
            "oncall_division": _(
                "The number of the division in OnCall. It stands in the address of its page there."
            ),
            "emr": _("The EMR that this division's visits are in."),
            "time_zone": _(
                "The clinic's local time. All times of its visits are shown in it, and its days begin by it."
            ),
            "system_of_record": _(
                "Whose word counts when both differ. Usually the system in which reception books."
            ),
            "window_back_days": _(
                "How many past days are still looked at. One is enough for most."
            ),
            "window_ahead_days": _("How far ahead visits are kept alike."),
            "contact": _(
                "Somebody who can look at once. Mailed when something cannot wait, never about a patient by name."
            ),
        }

    # The administration's superusers say whose visits are shown here, an administrator how they are kept.
    superusers_only = (
        "name",
        "oncall",
        "oncall_division",
        "emr",
        "known_locations",
        "emr_locations",
    )

    def __init__(
        self,
        *args: Any,
        places: Iterable[Place] = (),
        seen: Iterable[str] = (),
        superuser: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        for name in [name for name in self.fields if name.startswith(("policy_", "default_"))]:
            del self.fields[name]
        self._offer_zones()
        self._offer_places(list(places))
        self.order_fields(["name", "oncall", "oncall_division", "emr", "known_locations"])
        if numbers := ", ".join(seen):
            self.fields["oncall_division"].help_text = _("Seen in OnCall: %(numbers)s.") % {
                "numbers": numbers
            }
        for side, name in ((Side.ONCALL, "oncall"), (Side.EMR, "emr")):
            only = list(Connection.objects.filter(side=side).values_list("pk", flat=True)[:2])
            if len(only) == 1:
                self.initial.setdefault(name, only[0])
        if not superuser:
            for name in self.superusers_only:
                if name in self.fields:
                    self.fields[name].disabled = True

    def _offer_zones(self) -> None:
        near = [zone for _label, zones in NEAR_ZONES for zone in zones]
        others = sorted(available_timezones() - set(near))
        choices = [(label, [(zone, zone) for zone in zones]) for label, zones in NEAR_ZONES]
        choices.append((_("All others"), [(zone, zone) for zone in others]))
        old = self.fields["time_zone"]
        self.fields["time_zone"] = forms.ChoiceField(
            choices=choices, label=_("Time zone"), help_text=old.help_text
        )
        self.initial.setdefault("time_zone", "America/Toronto")

    def _offer_places(self, places: list[Place]) -> None:
        stored = list(self.instance.emr_locations or [])
        if not places:
            del self.fields["known_locations"]
            self.fields["emr_locations"].help_text = _(
                "The EMR's ids of its places, one a line, as Location/1. Leave it empty if one "
                "division takes all visits that no other one claims."
            )
            return
        known: Any = self.fields["known_locations"]
        known.choices = [
            (place.id, f"{place.name} ({place.id})" if place.name else place.id) for place in places
        ]
        known.help_text = _("Tick where this division's visits are held.")
        ids = {place.id for place in places}
        self.initial["known_locations"] = [id for id in stored if id in ids]
        self.initial["emr_locations"] = [id for id in stored if id not in ids]
        self.fields["emr_locations"].label = _("Other places")
        self.fields["emr_locations"].help_text = _(
            "Ids that are not on the list, one a line. With nothing ticked and nothing here, the "
            "division takes all visits that no other one claims."
        )

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if "known_locations" in self.fields and not self.fields["emr_locations"].disabled:
            both = [*data.get("known_locations", []), *data.get("emr_locations", [])]
            data["emr_locations"] = list(dict.fromkeys(both))
        elif self.fields["emr_locations"].disabled:
            data["emr_locations"] = list(self.instance.emr_locations or [])
        return super().clean()


class TypeLineForm(forms.Form):
    """One line of the type table. Without a pattern, or ticked, it is left out."""

    emr = forms.CharField(required=False, max_length=200, label=_("The EMR says"))
    oncall = forms.ChoiceField(
        required=False, choices=[("", "—"), *TypeRule.Held.choices], label=_("How it is held")
    )
    position = forms.IntegerField(required=False, min_value=1, max_value=999, label=_("Order"))
    remove = forms.BooleanField(required=False, label=_("Remove"))

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("emr") and not data.get("oncall") and not data.get("remove"):
            self.add_error("oncall", _("Say how such visits are held, or tick Remove."))
        return data


class NewTypeForm(forms.Form):
    """A type that visits carry and no line names: left alone unless the person says what it is."""

    word = forms.CharField(max_length=200, widget=forms.HiddenInput)
    oncall = forms.ChoiceField(
        required=False,
        choices=[("", _("decide later")), *TypeRule.Held.choices],
        label=_("How it is held"),
    )


class DefaultTypeForm(forms.Form):
    default_type = forms.ChoiceField(
        required=False,
        label=_("All other visits"),
        choices=[("", _("ask a person (safe)")), *TypeRule.Held.choices],
        help_text=_(
            "For visits whose type no line names. Asking is the safe answer: a wrong guess would be "
            "mailed to patients."
        ),
    )


LineFormSet = forms.formset_factory(TypeLineForm, extra=1, max_num=200)
NewTypeFormSet = forms.formset_factory(NewTypeForm, extra=0, max_num=200)
