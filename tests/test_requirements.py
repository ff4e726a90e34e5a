"""The locks say what the ``.in`` files ask for, checked from the files alone (no network)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {"requirements.txt": ["requirements.in"]}
LOCKS["requirements-dev.txt"] = ["requirements.in", "requirements-dev.in"]
PIN = re.compile(r"^(\S+?)(?:\[.*?\])?==(\S+)((?:.*\n)(?:[ \t]+.*\n)*)", re.MULTILINE)


def asked(name: str) -> dict[str, Requirement]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    words = [line.partition("#")[0].strip() for line in lines]
    found = [Requirement(word) for word in words if word and not word.startswith("-")]
    return {canonicalize_name(one.name): one for one in found}


def pinned(name: str) -> dict[str, tuple[str, str]]:
    """Name → version and the rest of its entry (hashes, who asks for it)."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return {found[1]: (found[2], found[3]) for found in PIN.finditer(text)}


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_holds_what_is_asked_in_a_fitting_version(lock):
    pins = pinned(lock)
    for source in LOCKS[lock]:
        for name, requirement in asked(source).items():
            assert name in pins, f"{name} is missing: make lock"
            assert requirement.specifier.contains(pins[name][0]), f"{name}: make lock"


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_keeps_nothing_that_is_no_longer_asked(lock):
    for source in LOCKS[lock]:
        by_lock = {
            name
            for name, (_, rest) in pinned(lock).items()
            if re.search(rf"-r {re.escape(source)}\s*$", rest, re.MULTILINE)
        }
        assert by_lock == set(asked(source)), "make lock"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_a_hash_and_no_line_names_a_server(lock):
    for name, (_, rest) in pinned(lock).items():
        assert "--hash=sha256:" in rest, name
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert not re.search(r"://|--(?:extra-)?index|--find-links|--trusted-host", text)


def test_both_locks_agree_on_every_version():
    runtime, dev = pinned("requirements.txt"), pinned("requirements-dev.txt")
    assert {name: version for name, (version, _) in runtime.items()} == {
        name: dev[name][0] for name in runtime
    }


@pytest.mark.parametrize("source", ["requirements.in", "requirements-dev.in"])
def test_every_requirement_says_why_it_is_here(source):
    for line in (ROOT / source).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith(("#", "-")):
            assert re.search(r"\S\s+# \S+ \S+", line), line
