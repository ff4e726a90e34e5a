"""The form of a connection: for the administration and, with fewer fields, for the set-up."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from appointments.configuration import relations, rules, snapshot
from appointments.configuration.forms.fields import ModelForm, SecretField, SecretLinesField
from appointments.configuration.reading import adapter_clause, scheme_problem, setting_problem
from appointments.configuration.states import ConnectionState
from appointments.models import Connection
from appointments.models.encrypted import opened
from appointments.oncall.payloads import REGIONS
from emr_adapters.records import Side
from emr_adapters.registry import ADAPTERS

ONCALL_SETTINGS: Final = ("region", "base_url", "auth_scheme")
TOKENS: Final = ("webhook_token", "webhook_token_2")
SECRETS: Final = (*rules.SECRET_KEYS, *TOKENS)
LOST: Final = ("lost", _("all that cannot be decrypted"))
ENTER_AGAIN: Final = _(
    "The stored credentials cannot be decrypted: CREDENTIALS_KEY lacks the key they were stored with. "
    "Enter them again here, or have that key added to CREDENTIALS_KEY."
)
_KEEP: Final = "Leave empty to keep what is stored. env:NAME refers to an environment variable."


class ConnectionForm(ModelForm):
    """One form for both sides: the adapter says which fields count."""

    adapter = forms.ChoiceField(
        choices=[(kind, kind) for kind in (rules.ONCALL, *sorted(ADAPTERS))],
        help_text="oncall, or the kind of EMR",
    )
    region = forms.ChoiceField(
        choices=[("", "---"), *((region, region) for region in REGIONS)],
        required=False,
        help_text="OnCall only: decides the host inside its addresses",
    )
    base_url = forms.CharField(
        required=False, max_length=500, help_text="For OnCall optional: where requests really go"
    )
    auth_scheme = forms.CharField(required=False, max_length=40, help_text='OnCall only: "Token"')
    more_settings = forms.JSONField(
        required=False, label="Further settings", help_text="EMR only: as JSON; no credentials here"
    )
    api_key = SecretField(label="API key", help_text=_KEEP)
    webhook_token = SecretField(
        help_text="OnCall only; part of the address that OnCall is given. " + _KEEP
    )
    webhook_token_2 = SecretField(
        label="Second webhook token", help_text="Only while the token is changed: both are valid."
    )
    token = SecretField(help_text=_KEEP)
    username = SecretField(help_text=_KEEP)
    password = SecretField(help_text=_KEEP)
    client_secret = SecretField(help_text=_KEEP)
    private_key = SecretLinesField(help_text="As in its file, all lines of it. " + _KEEP)
    forget = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Stored credentials: tick to remove",
    )

    class Meta:
        model = Connection
        fields = ["name", "requests_per_second"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        readable = opened(self.instance, "credentials", None)
        self.unreadable = readable is None
        self.stored: dict[str, Any] = readable or {}
        if not self.fields:  # without the right to change, the page shows no form
            return
        kept = [LOST] if self.unreadable else [(key, key) for key in sorted(self.stored)]
        self.fields["forget"].choices = kept  # type: ignore[attr-defined]
        settings = self.instance.settings or {}
        for key in ("adapter", *ONCALL_SETTINGS):
            self.initial[key] = settings.get(key, "")
        self.initial["adapter"] = self.instance.adapter
        rest = {key: value for key, value in settings.items() if key not in ONCALL_SETTINGS}
        self.initial["more_settings"] = rest
        if self.instance.pk:
            self.fields["adapter"].choices = [  # type: ignore[attr-defined]
                (kind, kind)
                for kind in ((rules.ONCALL,) if self._is_oncall() else sorted(ADAPTERS))
            ]

    def _is_oncall(self) -> bool:
        return bool(self.instance.side == Side.ONCALL)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        oncall = data.get("adapter") == rules.ONCALL
        self.instance.side = Side.ONCALL.value if oncall else Side.EMR.value
        self.instance.adapter = data.get("adapter", "")
        self.instance.settings = self._settings(data, oncall=oncall)
        self.instance.credentials = self._credentials(data)
        if not self.errors:
            self._check_whole()
        return data

    def _settings(self, data: dict[str, Any], *, oncall: bool) -> dict[str, Any]:
        given: dict[str, Any] = {key: data[key] for key in ONCALL_SETTINGS if data.get(key)}
        if "base_url" in given and (clause := rules.address_problem(given["base_url"])):
            self.add_error("base_url", clause)
        more = data.get("more_settings") or {}
        if not isinstance(more, dict):
            self.add_error("more_settings", 'must be an object, as in {"page_size": 50}')
            return given
        if oncall:
            if not given.get("region"):
                self.add_error("region", "is missing")
            if clause := scheme_problem(given.get("auth_scheme", "Token")):
                self.add_error("auth_scheme", clause)
            if more:
                self.add_error("more_settings", "OnCall has no further settings")
            return given
        for key in ("region", "auth_scheme"):
            if given.pop(key, ""):
                self.add_error(key, "is for OnCall only")
        for key, value in more.items():
            if key in SECRETS:
                self.add_error("more_settings", f"{key} is a credential and has its own field")
            elif key in ONCALL_SETTINGS:
                self.add_error("more_settings", f"{key} has its own field")
            elif clause := setting_problem(value):
                self.add_error("more_settings", f"{key}: {clause}")
        return {**given, **more}

    def _credentials(self, data: dict[str, Any]) -> dict[str, Any]:
        stored = dict(self.stored)
        for key in data.get("forget") or ():
            stored.pop(key, None)
        for key in rules.SECRET_KEYS:
            if value := data.get(key):
                if clause := rules.credential_problem(value):
                    self.add_error(key, clause)
                stored[key] = value
        tokens = [data[key] for key in TOKENS if data.get(key)]
        if tokens and not data.get("webhook_token"):
            # Only the second: it joins the first that is stored.
            tokens = [*rules.tokens_of(stored.get("webhook_token"))[:1], *tokens]
        if tokens:
            if clause := rules.webhook_problem(tokens):
                self.add_error("webhook_token", clause)
            stored["webhook_token"] = tokens[0] if len(tokens) == 1 else tokens
        if self.unreadable and not stored and not data.get("forget"):
            self.add_error(None, ENTER_AGAIN)
        return stored

    def _check_whole(self) -> None:
        state = ConnectionState(
            side=self.instance.side,
            name=self.cleaned_data["name"],
            adapter=self.instance.adapter,
            settings=self.instance.settings,
            credentials=self.instance.credentials,
        )
        stored = snapshot.take()
        others = [c for key, c in stored.connections.items() if key != self.instance.pk]
        if any((other.side, other.name) == (state.side, state.name) for other in others):
            self.add_error("name", f"there is another connection {state.label}")
        for problem in relations.problems([*others, state], [], []):
            if problem.state is state:
                self.add_error("webhook_token", problem.clause)
        if state.side == Side.ONCALL and not state.credentials.get("api_key"):
            self.add_error("api_key", "is missing")
        elif clause := adapter_clause(state):
            self.add_error(None, clause)
