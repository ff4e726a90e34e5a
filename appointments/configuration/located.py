"""Where a key stands in a TOML text: tomllib says what was written, not where."""

from __future__ import annotations

import re
from typing import Final, TypeAlias

Path: TypeAlias = tuple[str | int, ...]

_PART: Final = re.compile(
    r"""[ \t]*(?:"((?:[^"\\\n]|\\.)*)"|'([^'\n]*)'|([A-Za-z0-9_-]+))[ \t]*(\.?)"""
)
_PIECE: Final = re.compile(
    r'''"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|#[^\n]*'''
    r"""|[\[\]{}]|\n|[^"'#\[\]{}\n]+""",
    re.DOTALL,
)
_OPEN: Final = frozenset("[{")
_CLOSE: Final = frozenset("]}")


class Lines:
    """Line numbers of a text that tomllib has read without complaint.

    A path is the keys from the root on, with the index after the name of an array of tables:
    ``("division", 0, "policy", "oncall_to_emr", "cancel")``.
    """

    def __init__(self, text: str) -> None:
        self._text = text.replace("\r\n", "\n")
        self._lines: dict[Path, int] = {}
        self._counts: dict[Path, int] = {}
        self._scan()

    def of(self, *path: str | int) -> int:
        """The line of ``path``, or of the innermost part of it that has a line of its own."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._lines:
                return self._lines[path[:length]]
        return 1

    def _scan(self) -> None:
        text, at, line = self._text, 0, 1
        table: Path = ()
        while at < len(text):
            char = text[at]
            if char in " \t\n":
                line += char == "\n"
                at += 1
                continue
            if char == "#":
                at = self._end_of_line(at)
                continue
            if char == "[":
                double = text.startswith("[[", at)
                keys, at = self._keys(at + 1 + double)
                table = self._table(keys, double=double)
                for length in range(1, len(table) + 1):
                    self._lines.setdefault(table[:length], line)
                at = self._end_of_line(at)
                continue
            keys, at = self._keys(at)
            for length in range(1, len(keys) + 1):
                self._lines.setdefault((*table, *keys[:length]), line)
            end = self._end_of_value(at)
            line += text.count("\n", at, end)
            at = max(end, at + 1)

    def _keys(self, at: int) -> tuple[list[str], int]:
        keys: list[str] = []
        while match := _PART.match(self._text, at):
            keys.append(next(part for part in match.groups()[:3] if part is not None))
            at = match.end()
            if not match.group(4):
                break
        return keys, at

    def _table(self, keys: list[str], *, double: bool) -> Path:
        path: Path = ()
        for position, key in enumerate(keys, 1):
            path = (*path, key)
            if double and position == len(keys):
                self._counts[path] = self._counts.get(path, 0) + 1
            if path in self._counts:
                path = (*path, self._counts[path] - 1)
        return path

    def _end_of_line(self, at: int) -> int:
        end = self._text.find("\n", at)
        return len(self._text) if end < 0 else end

    def _end_of_value(self, at: int) -> int:
        depth = 0
        while match := _PIECE.match(self._text, at):
            piece = match.group()
            if piece == "\n" and depth == 0:
                return at
            depth += (piece in _OPEN) - (piece in _CLOSE)
            at = match.end()
        return at if at >= len(self._text) else at + 1
