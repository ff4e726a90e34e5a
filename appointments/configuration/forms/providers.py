"""The form of a provider: one person by both systems' ids."""

from __future__ import annotations

from typing import Any, Final

from appointments.configuration import relations, snapshot
from appointments.configuration.forms.fields import LinesField, ModelForm
from appointments.configuration.states import ProviderState
from appointments.models import Provider
from emr_adapters.records import Side

FIELD_OF: Final = {"emr_practitioner": "emr_practitioners"}


class ProviderForm(ModelForm):
    emr_practitioners = LinesField(
        label="EMR practitioners", help_text="The EMR's ids, one a line, as Practitioner/9"
    )

    class Meta:
        model = Provider
        fields = ["name", "email", "oncall", "oncall_provider", "emr_practitioners", "divisions"]
        labels = {"oncall": "OnCall connection", "oncall_provider": "OnCall provider"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "oncall" in self.fields:
            choices: Any = self.fields["oncall"]
            choices.queryset = choices.queryset.filter(side=Side.ONCALL)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if self.errors:
            return data
        state = ProviderState(
            name=data["name"],
            oncall=data["oncall"].name,
            oncall_provider=data["oncall_provider"],
            emr_practitioners=tuple(data["emr_practitioners"]),
            divisions=tuple(sorted(division.name for division in data["divisions"])),
        )
        stored = snapshot.take()
        others = [p for key, p in stored.providers.items() if key != self.instance.pk]
        divisions = list(stored.divisions.values())
        for problem in relations.problems([], divisions, [*others, state]):
            if problem.state is state:
                self.add_error(FIELD_OF.get(problem.key, problem.key), problem.clause)
        return data
