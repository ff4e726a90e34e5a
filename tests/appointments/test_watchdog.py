"""The watchdog over real child processes: tiny programs that speak its lines."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

from appointments.watchdog import Limits, Signs, Watchdog, exists

LIMITS = Limits(quiet=0.6, busy=5, start=20, stop=2)
SPEAK = """
import os, signal, sys, time
fd = int(os.environ["SYNCPORTAL_LIFE_FD"])
def say(word): os.write(fd, f"{word}\\n".encode())
say(f"up {os.getpid()}")
open(sys.argv[1], "a").write(f"{os.getpid()}\\n")
"""
FREEZES = SPEAK + "time.sleep(60)"
BEATS = SPEAK + (
    "\nwhile True:\n    say(f'end {os.getpid()}')\n    say(f'seen {os.getpid()}')\n    time.sleep(0.1)"
)
NOBODY_SEES = SPEAK + "\nwhile True:\n    say(f'end {os.getpid()}')\n    time.sleep(0.1)"
WORKS_LONG = SPEAK + "say(f'begin {os.getpid()}'); time.sleep(60)"
HOLDS = SPEAK + "say('take 7'); say('take 8'); say('done 7'); time.sleep(60)"
STUBBORN = SPEAK + "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + BEATS
HAS_A_CHILD = SPEAK + (
    "import subprocess; child = subprocess.Popen(['sleep', '60'])\n"
    "open(sys.argv[1], 'a').write(f'{child.pid}\\n'); time.sleep(60)"
)


@pytest.fixture
def run(tmp_path):
    """Run a program under a watchdog; ends it when the test does."""
    started = []

    def start(program: str, **options):
        lines: list[str] = []
        file = tmp_path / "pids"
        file.touch()
        dog = Watchdog(
            [sys.executable, "-c", program, str(file)],
            workers=options.pop("workers", 1),
            say=lines.append,
            **{"limits": LIMITS, **options},
        )
        thread = threading.Thread(target=dog.run)
        thread.start()
        started.append((dog, thread))
        return dog, lines, lambda: [int(pid) for pid in file.read_text().split()]

    yield start
    for dog, thread in started:
        dog.stop()
        thread.join(10)
        assert not thread.is_alive()


def wait_for(condition, seconds: float = 15):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
    return found


def test_frozen_child_is_killed_and_started_again(run):
    dog, lines, pids = run(FREEZES)
    wait_for(lambda: len(pids()) == 2)
    assert dog.restarts == 1
    assert lines[0].startswith("The task cluster takes no work any more and is ended.")
    assert not exists(pids()[0])


def test_whole_group_of_a_frozen_child_is_killed(run):
    _, _, pids = run(HAS_A_CHILD)
    wait_for(lambda: len(pids()) >= 3)
    assert [exists(pid) for pid in pids()[:2]] == [False, False]


def test_nothing_is_killed_while_the_database_does_not_answer(run):
    answers = False
    dog, _, pids = run(FREEZES, answers=lambda: answers)
    wait_for(pids)
    time.sleep(2)
    assert (dog.restarts, len(pids())) == (0, 1)
    answers = True
    wait_for(lambda: dog.restarts == 1)


def test_child_that_beats_is_left_alone(run):
    dog, _, pids = run(BEATS)
    wait_for(pids)
    time.sleep(1.5)
    assert (dog.restarts, dog.is_alive()) == (0, True)


def test_child_whose_work_nobody_ticks_off_is_started_again(run):
    dog, _, pids = run(NOBODY_SEES)
    wait_for(lambda: len(pids()) == 2)
    assert dog.restarts == 1


@pytest.mark.parametrize(
    ("lines", "frozen"),
    [
        ([(1.0, b"end 1\n"), (1.5, b"end 1\n")], False),
        ([(1.0, b"end 1\n"), (1.7, b"end 1\n")], True),
        ([(1.0, b"end 1\n"), (1.1, b"seen 2\n"), (1.7, b"end 1\n")], False),
        ([(1.0, b"end 1\n"), (1.6, b"seen 2\n"), (1.7, b"end 1\n")], False),
    ],
)
def test_work_that_was_seen_late_is_no_reason_to_end_the_child(lines, frozen):
    signs = Signs(started_at=0)
    for at, line in lines:
        signs.read(line, at)
    assert signs.frozen(lines[-1][0], 1, LIMITS) is frozen


def test_worker_at_work_excuses_silence(run):
    dog, _, pids = run(WORKS_LONG)
    wait_for(pids)
    time.sleep(1.5)
    assert dog.restarts == 0


def test_second_worker_that_is_free_does_not(run):
    dog, _, _ = run(WORKS_LONG, workers=2)
    wait_for(lambda: dog.restarts == 1)


def test_child_that_ends_is_started_again_and_said(run):
    dog, lines, _ = run(SPEAK + "sys.exit(3)")
    wait_for(lambda: dog.restarts == 1)
    assert lines[0] == "The task cluster ended (exit code 3). It is started again in 2 s."


def test_what_a_killed_child_held_is_given_back(run):
    given: list[set[int]] = []
    run(HOLDS, give_back=given.append)
    wait_for(lambda: given)
    assert given[0] == {8}


def test_stop_asks_and_then_kills(run):
    dog, lines, pids = run(STUBBORN)
    wait_for(pids)
    began = time.monotonic()
    dog.stop()
    wait_for(lambda: not exists(pids()[0]))
    assert time.monotonic() - began < LIMITS.stop + 2
    wait_for(lambda: lines)
    assert lines == ["The task cluster does not stop in time; it is ended."]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that has ended")
def test_killed_worker_that_nobody_took_note_of_excuses_nothing():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    signs = Signs(started_at=0, last_at=2.0, busy={child.pid: 2.0})
    limits = Limits(quiet=20, busy=90)
    assert not signs.frozen(23.0, 1, limits)

    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended and is still listed

    try:
        assert signs.frozen(23.0, 1, limits)
    finally:
        child.wait()


def test_signs_survive_lines_in_pieces_and_nonsense():
    signs = Signs(started_at=0)
    signs.read(b"up 12\nbeg", 1.0)
    signs.read(b"in 34\nrubbish\nbegin x\n\xff\xfe 3\n", 2.0)
    assert (signs.busy, signs.last_at) == ({34: 2.0}, 2.0)


@pytest.mark.parametrize(
    ("last_at", "busy", "now", "workers", "frozen"),
    [
        (None, {}, 19, 1, False),  # still starting
        (None, {}, 21, 1, True),
        (10, {}, 10.5, 1, False),
        (10, {}, 10.7, 1, True),
        (10, {os.getpid(): 10}, 14, 1, False),
        (10, {os.getpid(): 10}, 16, 1, True),  # at work for longer than any work may take
        (10, {os.getpid(): 10}, 14, 2, True),
        (10, {2**22 + 1: 10}, 14, 1, True),  # no such process: it died at work
    ],
)
def test_frozen_means_silence_without_an_excuse(last_at, busy, now, workers, frozen):
    signs = Signs(started_at=0, last_at=last_at, busy=busy)
    assert signs.frozen(now, workers, LIMITS) is frozen
