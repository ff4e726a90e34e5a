"""A configuration file → states, or every mistake in it at once.

Left out means
    ``base_url``, an EMR's ``settings``, ``emr_location``, ``policy``, ``type``: what the design says
    that their absence means; the file is the whole truth about them
    any other key: the stored value stays and is listed; for something new, the default
    a whole connection, division or provider: it stays and is listed
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from appointments.configuration import relations, rules
from appointments.configuration.located import Lines, Path
from appointments.configuration.reading_divisions import read_division, read_provider
from appointments.configuration.states import (
    ConnectionState,
    DivisionState,
    ProviderState,
    Snapshot,
    State,
)
from appointments.configuration.table import Mistake, Mistakes, Notes, Table
from appointments.oncall.client import OnCallAdapter
from emr_adapters.base import AdapterConfig
from emr_adapters.errors import NotConfigured
from emr_adapters.records import Side
from emr_adapters.registry import adapter_class

_PLACE: Final = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")
_SIDES: Final = (("oncall", "OnCall"), ("emr", "EMR"))


@dataclass(slots=True)
class Reading:
    """What a file says, merged with what is stored. ``kept`` are sentences about what stays as it is."""

    connections: list[ConnectionState] = field(default_factory=list)
    divisions: list[DivisionState] = field(default_factory=list)
    providers: list[ProviderState] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


def read(text: str, stored: Snapshot, *, set_mode: bool = False) -> Reading:
    """Raises Mistakes, holding all of them. ``stored`` is not changed."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Mistakes([_syntax(str(error), text)]) from None
    notes = Notes(Lines(text))
    reading = Reading()
    places: dict[int, Path] = {}
    root = Table(data, (), notes)
    for side, _ in _SIDES:
        _read_connections(root.table(side, prefix=""), side, stored, reading, places)
    connections = _connection_names(reading, stored)
    for table in root.tables("division"):
        division = read_division(table, connections, stored, reading.kept, set_mode=set_mode)
        _add(reading.divisions, division, table, places)
    for table in root.tables("provider"):
        provider = read_provider(table, connections, stored, reading.divisions, reading.kept)
        _add(reading.providers, provider, table, places)
    root.finish()
    for problem in relations.problems(
        _with_left(reading.connections, list(stored.connections.values()), _key),
        _with_left(reading.divisions, list(stored.divisions.values()), _key),
        _with_left(reading.providers, list(stored.providers.values()), _key),
    ):
        # Two halves that are both only stored are not this file's mistake.
        if (path := places.get(id(problem.state))) is not None:
            notes.add((*path, problem.key), problem.state.label, problem.key, problem.clause)
    if notes.mistakes:
        raise Mistakes(notes.mistakes)
    return reading


def _syntax(message: str, text: str) -> Mistake:
    match = _PLACE.search(message)
    line = int(match.group(1)) if match and match.group(1) else text.count("\n") + 1
    clause = message[: match.start()] if match else message
    return Mistake(line, f"this is not TOML: {clause[:1].lower()}{clause[1:]}")


def _add(states: list[Any], state: Any, table: Table, places: dict[int, Path]) -> None:
    if state is not None:
        states.append(state)
        places[id(state)] = table.path


def _key(state: State) -> tuple[object, ...]:
    match state:
        case ConnectionState():
            return state.side, state.name
        case DivisionState():
            return (state.name,)
        case ProviderState():
            return state.oncall, state.oncall_provider
    return ()


def _with_left(written: list[Any], stored: list[Any], key: Callable[[Any], object]) -> list[Any]:
    """What the file leaves, then what it names: a clash is told where the file can be mended."""
    named = {key(state) for state in written}
    return [*(state for state in stored if key(state) not in named), *written]


def _connection_names(reading: Reading, stored: Snapshot) -> dict[str, list[str]]:
    states = [*reading.connections, *stored.connections.values()]
    return {
        side: list(dict.fromkeys(state.name for state in states if state.side == side))
        for side, _ in _SIDES
    }


# --- connections -----------------------------------------------------------------------------------


def _read_connections(
    parent: Table, side: str, stored: Snapshot, reading: Reading, places: dict[int, Path]
) -> None:
    for name in parent.values:
        table = parent.table(name, prefix="")
        table.label = f"{side}.{name}"
        if clause := rules.name_problem(name):
            table.wrong("", clause)
        read_one = _read_oncall if side == Side.ONCALL else _read_emr
        _add(
            reading.connections,
            read_one(table, name, stored.connection(side, name), reading.kept),
            table,
            places,
        )
        table.finish()


def _read_oncall(
    table: Table, name: str, stored: ConnectionState | None, kept: list[str]
) -> ConnectionState:
    before = len(table.notes.mistakes)
    settings: dict[str, Any] = {}
    region = table.text("region", required=True, problem=rules.region_problem)
    base_url = table.text("base_url", problem=rules.address_problem, longest=500)
    scheme = table.text("auth_scheme", problem=scheme_problem, longest=40)
    if region:
        settings["region"] = region
    if base_url:
        settings["base_url"] = base_url
    if scheme:
        settings["auth_scheme"] = scheme
    credentials = dict(stored.credentials) if stored else {}
    key = table.text(
        "api_key",
        required=stored is None or not stored.readable,
        problem=rules.credential_problem,
        secret=True,
    )
    if key:
        credentials["api_key"] = key
    if table.has("webhook_token"):
        tokens = table.texts("webhook_token")
        if clause := rules.webhook_problem(tokens):
            table.wrong("webhook_token", clause)
        credentials["webhook_token"] = tokens[0] if len(tokens) == 1 else list(tokens)
    _keep_credentials(table.values, credentials, table.label, kept)
    state = ConnectionState(
        side=Side.ONCALL.value,
        name=name,
        adapter=rules.ONCALL,
        settings=settings,
        credentials=credentials,
        requests_per_second=_rate(table, stored),
    )
    if key and _fine_so_far(table, before) and (clause := adapter_clause(state)):
        table.wrong("api_key", clause)
    return state


def _read_emr(
    table: Table, name: str, stored: ConnectionState | None, kept: list[str]
) -> ConnectionState:
    before = len(table.notes.mistakes)
    adapter = table.text("adapter", required=True, problem=rules.adapter_problem)
    inner = table.table("settings")
    settings: dict[str, Any] = {}
    credentials = dict(stored.credentials) if stored else {}
    for key, value in inner.values.items():
        if key in rules.SECRET_KEYS:
            credentials[key] = inner.text(key, problem=rules.credential_problem, secret=True)
        elif key == "base_url":
            settings[key] = inner.text(key, problem=rules.address_problem, longest=500)
        elif clause := setting_problem(value):
            inner.wrong(key, clause)
        else:
            settings[key] = value
    _keep_credentials(inner.values, credentials, table.label, kept)
    # What cannot be decrypted stays as it is until some are given again; ``doctor`` tells of it.
    readable = stored is None or stored.readable or bool(credentials)
    state = ConnectionState(
        side=Side.EMR.value,
        name=name,
        adapter=adapter,
        settings=settings,
        credentials=credentials,
        requests_per_second=_rate(table, stored),
        readable=readable,
    )
    if readable and _fine_so_far(table, before) and (clause := adapter_clause(state)):
        key, _, rest = clause.partition(" ")
        if key in inner.values:
            inner.wrong(key, rest)
        else:
            table.wrong("settings", clause)
    return state


def _fine_so_far(table: Table, before: int) -> bool:
    """The adapter is asked last: it would only repeat what is wrong already."""
    return len(table.notes.mistakes) == before


def adapter_clause(state: ConnectionState) -> str:
    """What the adapter itself says about its settings, without any request; "" when it is content.

    References count as any text: they are resolved at use. A private key cannot be any text.
    """
    secrets = {key: value for key, value in state.credentials.items() if isinstance(value, str)}
    if secrets.get("private_key", "").startswith(rules.ENV):
        return ""
    tried = {k: "x" if value.startswith(rules.ENV) else value for k, value in secrets.items()}
    kind = OnCallAdapter if state.adapter == rules.ONCALL else adapter_class(state.adapter)
    try:
        kind(AdapterConfig(dict(state.settings), tried))
    except NotConfigured as error:
        return str(error).rstrip(".")
    return ""


def _rate(table: Table, stored: ConnectionState | None) -> float:
    fallback = stored.requests_per_second if stored else 2.0
    return table.number("requests_per_second", fallback, low=0.1, high=1000)


def scheme_problem(scheme: str) -> str:
    return "" if scheme.isascii() and scheme.isalnum() else "must be one word, as in Token"


def setting_problem(value: object) -> str:
    """Settings are kept as JSON, which has no dates and no infinite numbers."""
    if isinstance(value, dict):
        return next((c for inner in value.values() if (c := setting_problem(inner))), "")
    if isinstance(value, list):
        return next((c for inner in value if (c := setting_problem(inner))), "")
    if isinstance(value, str):
        if value.startswith(rules.ENV):
            return "env:NAME is for credentials (" + ", ".join(rules.SECRET_KEYS) + ")"
        return "" if "\0" not in value else "holds a character that cannot be stored"
    if isinstance(value, float) and not math.isfinite(value):
        return "must be a finite number"
    return (
        "" if isinstance(value, bool | int | float) else "dates and times must be texts in quotes"
    )


def _keep_credentials(
    written: Any, credentials: dict[str, Any], label: str, kept: list[str]
) -> None:
    kept += [f"{label}: {key} (stored)" for key in sorted(credentials) if key not in written]
