"""Form fields of the configuration screens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms

if TYPE_CHECKING:
    ModelForm = forms.ModelForm[Any]
else:
    ModelForm = forms.ModelForm


class LinesField(forms.CharField):
    """A list of texts, one a line."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("required", False)
        options.setdefault("widget", forms.Textarea(attrs={"rows": 3, "cols": 40}))
        super().__init__(**options)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list | tuple) else value

    def to_python(self, value: Any) -> Any:
        lines = (line.strip() for line in str(value or "").splitlines())
        return list(dict.fromkeys(line for line in lines if line))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(data) != list(initial or []))


class SecretField(forms.CharField):
    """Write-only: what is stored never reaches the page; empty keeps it."""

    def __init__(self, **options: Any) -> None:
        widget = forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"})
        super().__init__(required=False, widget=widget, **options)


class MaskedInput(forms.TextInput):
    """A key or token: covered by the style sheet, and nothing for a browser to keep as a password."""

    def __init__(self) -> None:
        super().__init__(attrs={"class": "masked", "autocomplete": "off", "spellcheck": "false"})

    def format_value(self, value: Any) -> str:
        return ""


class SecretLines(forms.Textarea):
    """Several lines of which none is ever sent back, not even what was just typed and refused."""

    def format_value(self, value: Any) -> str:
        return ""


class SecretLinesField(forms.CharField):
    """A key as it stands in its file (PEM): write-only, and its lines are kept."""

    def __init__(self, **options: Any) -> None:
        attrs = {"rows": 5, "cols": 66, "autocomplete": "off", "spellcheck": "false"}
        super().__init__(required=False, widget=SecretLines(attrs=attrs), **options)
