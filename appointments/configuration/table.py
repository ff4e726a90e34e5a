"""One table of a TOML file, read key by key; every mistake is noted with its line, none stops the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, TypeVar

from appointments.configuration.located import Lines, Path

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """``line 12: division "Downtown": time_zone: unknown zone "America/Torontoo"``."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


class Mistakes(Exception):
    """Everything that is wrong with a file, in the order of its lines."""

    def __init__(self, found: Sequence[Mistake]) -> None:
        self.found = tuple(sorted(set(found)))
        super().__init__("\n".join(str(one) for one in self.found))


@dataclass(slots=True)
class Notes:
    """Where the readers of one file put what they find wrong."""

    lines: Lines
    mistakes: list[Mistake] = field(default_factory=list)

    def add(self, path: Path, *words: str) -> None:
        text = ": ".join(word for word in words if word)
        self.mistakes.append(Mistake(self.lines.of(*path), text))


_KINDS: dict[type, str] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a table",
}


def kind_of(value: object) -> str:
    return _KINDS.get(type(value), "a date or a time")


class Table:
    """``values`` stand at ``path``; ``label`` is how mistakes call the object ('division "Downtown"').

    Each getter answers ``fallback`` for a key that is left out or wrong, so that reading goes on.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        path: Path,
        notes: Notes,
        *,
        label: str = "",
        prefix: str = "",
    ) -> None:
        self.values = values
        self.path = path
        self.notes = notes
        self.label = label
        self.prefix = prefix
        self._known: set[str] = set()

    def wrong(self, key: str, clause: str) -> None:
        self.notes.add((*self.path, key), self.label, f"{self.prefix}{key}" if key else "", clause)

    def has(self, key: str) -> bool:
        return key in self.values

    def _get(self, key: str, *, required: bool) -> Any:
        self._known.add(key)
        if required and key not in self.values:
            self.wrong(key, "is missing")
        return self.values.get(key)

    def text(
        self,
        key: str,
        fallback: str = "",
        *,
        required: bool = False,
        longest: int = 200,
        empty: bool = False,
        problem: Callable[[str], str] | None = None,
        secret: bool = False,
    ) -> str:
        value = self._get(key, required=required)
        if value is None:
            return fallback
        if not isinstance(value, str):
            self.wrong(key, f"must be a text in quotes, not {kind_of(value)}")
        elif not value.strip() and not (empty and value == ""):
            self.wrong(key, "is empty")
        elif not secret and not value.isprintable():
            self.wrong(key, "holds a character that cannot be shown")
        elif len(value) > longest and not secret:
            self.wrong(key, f"is longer than {longest} characters")
        elif problem and (clause := problem(value)):
            self.wrong(key, clause)
        else:
            return value
        return fallback

    def one_of(
        self, key: str, words: Sequence[str], fallback: str = "", *, required: bool = False
    ) -> str:
        def problem(value: str) -> str:
            return "" if value in words else not_one_of(value, words)

        return self.text(key, fallback, required=required, problem=problem)

    def whole(
        self,
        key: str,
        fallback: int = 0,
        *,
        low: int = 0,
        high: int,
        required: bool = False,
        problem: Callable[[int], str] | None = None,
    ) -> int:
        value = self._get(key, required=required)
        if value is None:
            return fallback
        if type(value) is not int:
            self.wrong(key, f"must be a whole number, not {kind_of(value)}")
            return fallback
        if not low <= value <= high:
            self.wrong(key, f"must be from {low} to {high}, not {value}")
            return fallback
        if problem and (clause := problem(value)):
            self.wrong(key, clause)
            return fallback
        return value

    def number(
        self,
        key: str,
        fallback: float,
        *,
        low: float = 0,
        high: float = float("inf"),
        problem: Callable[[float], str] | None = None,
    ) -> float:
        value = self._get(key, required=False)
        if value is None:
            return fallback
        if type(value) not in {int, float}:
            self.wrong(key, f"must be a number, not {kind_of(value)}")
            return fallback
        if problem is None and not low <= value <= high:
            self.wrong(key, f"must be from {low:g} to {high:g}, not {value:g}")
            return fallback
        if problem and (clause := problem(value)):
            self.wrong(key, clause)
            return fallback
        return float(value)

    def texts(
        self, key: str, fallback: tuple[str, ...] = (), *, longest: int = 200
    ) -> tuple[str, ...]:
        """A text, or a list of texts; without repetitions."""
        value = self._get(key, required=False)
        if value is None:
            return fallback
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            self.wrong(key, f"must be a text or a list of texts, not {kind_of(value)}")
            return fallback
        if not all(item.strip() and item.isprintable() and len(item) <= longest for item in items):
            self.wrong(key, f"each must have 1 to {longest} characters that can be shown")
            return fallback
        return tuple(dict.fromkeys(items))

    def pair(
        self, key: str, fallback: tuple[int, int], *, high: tuple[int, int]
    ) -> tuple[int, int]:
        """Two whole numbers: the first from 0, the second from 1."""
        value = self._get(key, required=False)
        if value is None:
            return fallback
        if (
            not isinstance(value, list)
            or len(value) != 2
            or not all(type(item) is int for item in value)
        ):
            self.wrong(key, "must be two whole numbers: days back, days ahead")
        elif not (0 <= value[0] <= high[0] and 1 <= value[1] <= high[1]):
            self.wrong(key, f"must be from [0, 1] to [{high[0]}, {high[1]}]")
        else:
            return value[0], value[1]
        return fallback

    def table(self, key: str, *, prefix: str | None = None) -> Table:
        """The table at ``key``; an empty one where it is left out or is none."""
        value = self._get(key, required=False)
        if value is not None and not isinstance(value, dict):
            self.wrong(key, f"must be a table, not {kind_of(value)}")
            value = None
        inner = f"{self.prefix}{key}." if prefix is None else prefix
        return Table(value or {}, (*self.path, key), self.notes, label=self.label, prefix=inner)

    def tables(self, key: str) -> list[Table]:
        """The array of tables at ``key``; their labels are the caller's to set."""
        value = self._get(key, required=False)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.wrong(key, f"must be written as [[{key}]] tables")
            return []
        return [
            Table(item, (*self.path, key, index), self.notes, label=self.label)
            for index, item in enumerate(value)
        ]

    def finish(self) -> None:
        """Whatever nobody asked for is a mistake, with a suggestion where one is close."""
        for key in self.values:
            if key not in self._known:
                self.wrong(key, "unknown key" + suggestion(key, sorted(self._known)))


def not_one_of(value: str, words: Sequence[str]) -> str:
    known = ", ".join(words)
    return f'must be one of {known}, not "{value}"'


def suggestion(name: str, known: Sequence[str]) -> str:
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    return f'; did you mean "{close[0]}"?' if close else ""
