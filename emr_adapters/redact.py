"""What a remote system says about a refused value, without the value.

Error bodies echo what was sent ("'ada@example.org' is already taken") and ``str(error)`` may not hold
patient data (law 14). A sentence is shown only if nothing in it can be a value: quoted parts are
replaced, and a sentence that still holds an address, a number of several digits, a capitalised word
after its first one, a letter outside ASCII or a word of ``hide`` is left out as a whole.
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
_NAME: Final = re.compile(r"(?<=[^.!?:]\s)[A-Z]\w*")
_WORD: Final = re.compile(r"[^\W_]+")
# Capitalised inside a sentence, and no one's name.
_HARMLESS: Final = frozenset(
    {"JSON", "URL", "ISO", "UTC", "HTTP", "API", "ID", "FHIR", "YYYY", "I"}
)


def safe_sentence(text: object, hide: Iterable[str] = ()) -> str:
    """``text`` as it may be shown, or "" when it could hold a value.

    ``hide``: values of the request that must not come back (names, addresses), in any case.
    """
    if not isinstance(text, str):
        return ""
    sentence = _QUOTED.sub("\u2026", " ".join(text.split()))
    if not sentence or len(sentence) > LONGEST or _VALUE.search(sentence):
        return ""
    if any(found.group() not in _HARMLESS for found in _NAME.finditer(sentence)):
        return ""
    hidden = {word for value in hide for word in words(value)}
    return "" if hidden & words(sentence) else sentence


def words(text: str) -> set[str]:
    """The words of ``text`` that can identify, folded: three letters or more."""
    return {word for found in _WORD.findall(text) if len(word := found.casefold()) > 2}
