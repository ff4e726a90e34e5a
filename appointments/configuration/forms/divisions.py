"""The form of a division with its type table, and the policy as a table of words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django import forms

from appointments.configuration import relations, rules, snapshot
from appointments.configuration.consequences import permissions
from appointments.configuration.forms.fields import LinesField, ModelForm
from appointments.configuration.reading_divisions import DIRECTIONS
from appointments.configuration.states import DivisionState
from appointments.core.policy import Permission, Subject
from appointments.models import Division, TypeRule
from emr_adapters.records import Side

if TYPE_CHECKING:
    InlineFormSet = forms.BaseInlineFormSet[Any, Any, Any]
else:
    InlineFormSet = forms.BaseInlineFormSet

ARROWS: Final = {"oncall_to_emr": "OnCall → EMR", "emr_to_oncall": "EMR → OnCall"}
# The file's key → the form's field, for what relations find.
FIELD_OF: Final = {
    "name": "name",
    "oncall_division": "oncall_division",
    "emr_location": "emr_locations",
}


def policy_field(direction: str, subject: Subject) -> str:
    return f"policy_{direction}_{subject.value}"


class DivisionForm(ModelForm):
    emr_locations = LinesField(
        label="EMR locations",
        help_text="One a line, as Location/1. Empty: all visits that no other division claims.",
    )
    default_type = forms.ChoiceField(
        required=False,
        choices=[("", "not known"), *TypeRule.Held.choices],
        help_text="When the EMR does not say how the visit is held",
    )

    class Meta:
        model = Division
        fields = [
            "name",
            "oncall",
            "oncall_division",
            "emr",
            "emr_locations",
            "time_zone",
            "system_of_record",
            "mode",
            "window_back_days",
            "window_ahead_days",
            "default_type",
            "title",
            "cancel_delay_minutes",
            "brake_count",
            "brake_percent",
            "contact",
        ]
        labels = {
            "oncall": "OnCall connection",
            "oncall_division": "OnCall division",
            "emr": "EMR connection",
            "window_back_days": "Days back",
            "window_ahead_days": "Days ahead",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        defaults = permissions({}, self.instance.system_of_record)
        for direction in DIRECTIONS:
            source = Side(direction.partition("_")[0])
            for subject in Subject:
                name = policy_field(direction, subject)
                if name in self.fields:
                    default = defaults[source, subject].value
                    self.fields[name].choices = [  # type: ignore[attr-defined]
                        ("", f"default ({default})"),
                        *((one.value, one.value) for one in Permission),
                    ]
                    stored = (self.instance.policy or {}).get(direction, {})
                    self.initial[name] = stored.get(subject.value, "")
        for name, side in (("oncall", Side.ONCALL), ("emr", Side.EMR)):
            if name in self.fields:
                choices: Any = self.fields[name]
                choices.queryset = choices.queryset.filter(side=side)

    def clean_time_zone(self) -> str:
        return self._fine("time_zone", rules.zone_problem)

    def clean_title(self) -> str:
        return self._fine("title", rules.title_problem)

    def _fine(self, name: str, problem: Any) -> str:
        value: str = self.cleaned_data[name]
        if clause := problem(value):
            raise forms.ValidationError(clause)
        return value

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if policy_field(DIRECTIONS[0], Subject.CREATE) in self.fields:
            self.instance.policy = _policy(data)
        if not self.errors and "oncall" in data:
            self._check_others(data)
        return data

    def _check_others(self, data: dict[str, Any]) -> None:
        state = DivisionState(
            name=data["name"],
            oncall=data["oncall"].name,
            oncall_division=data["oncall_division"],
            emr=data["emr"].name,
            emr_locations=tuple(data["emr_locations"]),
        )
        stored = snapshot.take()
        others = [d for key, d in stored.divisions.items() if key != self.instance.pk]
        for problem in relations.problems([], [*others, state], []):
            if problem.state is state:
                self.add_error(FIELD_OF[problem.key], problem.clause)


for _direction in DIRECTIONS:
    for _subject in Subject:
        # As if it were written in the class: the admin makes its own form classes from this one.
        DivisionForm.declared_fields[policy_field(_direction, _subject)] = forms.ChoiceField(
            required=False, label=f"{_subject.value.capitalize()}, {ARROWS[_direction]}"
        )


def _policy(data: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Only what differs from the defaults, as in the file."""
    chosen = {
        direction: {
            subject.value: word
            for subject in Subject
            if (word := data.get(policy_field(direction, subject)))
        }
        for direction in DIRECTIONS
    }
    return {direction: words for direction, words in chosen.items() if words}


class TypeRuleFormSet(InlineFormSet):
    def clean(self) -> None:
        super().clean()
        rows = [
            form.cleaned_data
            for form in self.forms
            if form.is_valid() and form.cleaned_data and not form.cleaned_data.get("DELETE")
        ]
        rows.sort(key=lambda row: row["position"])
        pairs = [(row["emr"], row["oncall"]) for row in rows]
        if problem := rules.rules_problem(pairs):
            raise forms.ValidationError(f"Rule {problem[0] + 1}: {problem[1]}")
