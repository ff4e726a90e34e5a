"""What a remote system says about a refused value, without the value.

Error bodies echo what was sent ("'ada@example.org' is already taken") and ``str(error)`` may not hold
patient data (law 14). A sentence is shown only if nothing in it can be a value: quoted parts are
replaced, and a text that still holds an address, a number of several digits, a letter outside ASCII, a
word of ``hide``, or a capitalised word that does not open a sentence of the usual kind is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

LONGEST: Final = 160  # characters of one sentence

_QUOTED: Final = re.compile(
    r"\"[^\"]*\"|'[^']*'|`[^`]*`|\u201c[^\u201d]*\u201d|\u00ab[^\u00bb]*\u00bb"
)
_VALUE: Final = re.compile(r"@|://|\d{5,}|[^\x20-\x7e\u2026]|[<>{}\[\]\\\"`]")
_WORD: Final = re.compile(r"[^\W_]+")
_CAPITALISED: Final = re.compile(r"(?P<inside>[^.!?:;\s]\s)?\b(?P<word>[A-Z]\w*)")
# Capitalised anywhere, and no one's name.
_HARMLESS: Final = frozenset(
    {"JSON", "URL", "ISO", "UTC", "HTTP", "API", "ID", "FHIR", "YYYY", "I"}
)
# With what a sentence of a form or of a protocol begins. Anything else could be somebody's name.
_OPENERS: Final = frozenset({
    "A", "An", "All", "Any", "Already", "Appointment", "Appointments", "At", "Authentication",
    "Both", "Bad", "Booking", "Cancelled", "Cannot", "Contact", "Could", "Date", "Datetime",
    "Division", "Duplicate", "Duration", "Either", "Email", "End", "Enter", "Ensure", "Expected",
    "Field", "Fields", "Format", "If", "Inactive", "Incorrect", "Integer", "Internal", "Invalid",
    "Item", "It", "Length", "List", "Location", "Malformed", "Maximum", "Metadata", "Method",
    "Minimum", "Missing", "More", "Must", "No", "None", "Not", "Number", "Object", "Only",
    "Operation", "Overlapping", "Participant", "Participants", "Past", "Patient", "Permission",
    "Please", "Practitioner", "Provider", "Request", "Required", "Resource", "Server", "Slot",
    "Slots", "Start", "Status", "String", "Such", "The", "There", "This", "Time", "Title", "Too",
    "Type", "Unable", "Unexpected", "Unknown", "Unsupported", "User", "Value", "Values",
    "Version", "Visit", "Write", "Wrong", "You", "Your",
})  # fmt: skip


def safe_sentence(text: object, hide: Iterable[str] = ()) -> str:
    """``text`` as it may be shown, or "" when it could hold a value.

    ``hide``: values of the request that must not come back (names, addresses), in any case.
    """
    if not isinstance(text, str):
        return ""
    sentence = _QUOTED.sub("\u2026", " ".join(text.split()))
    if not sentence or len(sentence) > LONGEST or _VALUE.search(sentence):
        return ""
    if any(_could_be_a_name(found) for found in _CAPITALISED.finditer(sentence)):
        return ""
    hidden = {word for value in hide for word in words(value)}
    return "" if hidden & words(sentence) else sentence


def _could_be_a_name(found: re.Match[str]) -> bool:
    allowed = _HARMLESS if found["inside"] else _HARMLESS | _OPENERS
    return found["word"] not in allowed


def words(text: str) -> set[str]:
    """The words of ``text`` that can identify, folded: three letters or more."""
    return {word for found in _WORD.findall(text) if len(word := found.casefold()) > 2}
