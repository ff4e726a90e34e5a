"""The demo's programs come up in order, are watched, and go away without a trace."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from syncportal import demo, processes
from syncportal.bootstrap import Problem
from syncportal.processes import Failed, Once, Program, Runner, Stop

ROOT = Path(__file__).resolve().parent.parent
SLEEP = "import time; time.sleep(60)"
# A program with a child in a session of its own, which stops on nobody's request: a worker's watchdog.
WITH_STRAY = (
    "import signal, subprocess, sys, time;"
    "subprocess.Popen([sys.executable, '-c', 'import signal, time;"
    " signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)'], start_new_session=True);"
    "print('up', flush=True); time.sleep(60)"
)
needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def wait_for(condition, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def said():
    return []


@pytest.fixture
def runner(tmp_path, said):
    one = Runner(
        dict(os.environ),
        ROOT,
        tmp_path,
        mark=str(tmp_path),
        say=said.append,
        settle_seconds=0.1,
        grace_seconds=2,
    )
    yield one
    one.stop()


def test_parts_come_up_in_order_and_say_what_they_printed(runner, said):
    printed = runner.begin([Program("first", python(SLEEP)), Once("second", python("print(7)"))])
    assert printed == {"second": "7\n"}
    assert said == ["Starting: first …", "Starting: second …"]


def test_program_counts_as_up_only_when_it_answers(runner, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    assert not processes.answers(url)
    serve = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    runner.start(
        Program("pages", [*serve, "--directory", str(tmp_path)], ready=url, start_seconds=20)
    )
    assert processes.answers(url + "missing-page-is-an-answer-too")


def test_program_that_does_not_start_is_reported_with_its_last_words(runner):
    with pytest.raises(Failed) as caught:
        runner.start(Program("web server", python("raise SystemExit('no such thing')")))
    assert "The web server did not start (exit code 1)" in str(caught.value)
    assert "no such thing" in str(caught.value)
    assert "web-server.log" in str(caught.value)


def test_silent_program_is_given_up(runner):
    silent = Program("mute", python(SLEEP), ready="http://127.0.0.1:1/", start_seconds=0.2)
    with pytest.raises(Failed, match="The mute does not answer"):
        runner.start(silent)


def test_failed_command_is_reported_with_its_last_words(runner):
    with pytest.raises(Failed, match=r"demo data failed\.\n\s+no sandbox"):
        runner.run_once("demo data", python("raise SystemExit('no sandbox')"))


def test_program_that_ends_is_started_again_and_given_up_after_three_times(runner, said):
    runner.start(Program("worker", python("import time; print('bye'); time.sleep(0.3)")))
    with pytest.raises(Failed, match="started again 3 times"):
        runner.watch()
    assert len(said) == 3
    assert said[0].startswith("The worker ended (exit code 0).\n    bye")


@needs_proc
def test_stop_leaves_no_descendant_behind(runner, tmp_path):
    runner.start(Program("worker", python(WITH_STRAY)))
    wait_for(lambda: len(processes.marked(str(tmp_path))) == 2)
    runner.stop()
    assert processes.marked(str(tmp_path)) == []


@needs_proc
def test_strays_of_a_program_that_died_are_ended_before_it_starts_again(runner, tmp_path):
    runner.start(Program("worker", python(WITH_STRAY)))
    wait_for(lambda: len(processes.marked(str(tmp_path))) == 2)
    before = set(processes.marked(str(tmp_path)))
    os.kill(runner.running[0].process.pid, signal.SIGKILL)
    runner.max_restarts = 0
    with pytest.raises(Failed, match="signal SIGKILL"):
        runner.watch()
    assert before & set(processes.marked(str(tmp_path))) == set()


def test_mark_of_one_folder_is_not_the_mark_of_another(runner, tmp_path):
    runner.start(Program("worker", python(SLEEP)))
    assert processes.marked(str(tmp_path)[:-1]) == []


# --- the whole command, with small programs in the parts' places -----------------------------------

WHOLE = """
import sys
from pathlib import Path
from syncportal import demo
from syncportal.processes import Once, Program
stray = {stray!r}
def parts(data, ports, settings):
    return [Once("demo data", [sys.executable, "-c", "print('Sign-ins: ada')"]),
            Program("worker", [sys.executable, "-c", stray])]
sys.exit(demo.main(demo.parser().parse_args(sys.argv[1:]), parts))
"""


def start_demo(data: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*python(WHOLE.format(stray=WITH_STRAY)), "--data", str(data), *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def read_until(process: subprocess.Popen[str], words: str) -> str:
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        if words in line:
            return text
    pytest.fail(f"ended without {words!r}:\n{text}")


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_demo_stops_on_a_signal_and_leaves_nothing_running(tmp_path, number):
    data = tmp_path / "data"
    process = start_demo(data)
    text = read_until(process, "Stop: Ctrl-C")
    assert "Sign-ins: ada" in text
    wait_for(lambda: len(processes.marked(str(data))) == 2)
    process.send_signal(number)
    rest, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Nothing is left running" in rest
    assert processes.marked(str(data)) == []


@needs_proc
def test_second_demo_on_the_same_folder_is_refused_and_leaves_the_first_alone(tmp_path):
    data = tmp_path / "data"
    first = start_demo(data)
    read_until(first, "Stop: Ctrl-C")
    running = processes.marked(str(data))
    with (
        pytest.raises(Problem, match="already running at http://localhost:"),
        demo.sole_user(data),
    ):
        pass
    assert processes.marked(str(data)) == running
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=30)


@needs_proc
def test_what_a_killed_demo_left_running_is_ended_by_the_next(tmp_path, capsys):
    data = tmp_path / "data"
    process = start_demo(data)
    read_until(process, "Stop: Ctrl-C")
    wait_for(lambda: len(processes.marked(str(data))) == 2)
    process.kill()
    process.communicate()
    # The part itself goes with us; what it put into a session of its own stays.
    wait_for(lambda: len(processes.marked(str(data))) == 1)
    with demo.sole_user(data):
        assert processes.marked(str(data)) == []
    assert "Ended what an earlier demo" in capsys.readouterr().out


def test_keys_are_made_once_and_are_for_this_user_only(tmp_path):
    first = demo.keys(tmp_path)
    assert demo.keys(tmp_path) == first
    assert stat.S_IMODE((tmp_path / demo.KEYS).stat().st_mode) == 0o600
    assert json.loads((tmp_path / demo.KEYS).read_text()) == first


def test_reset_deletes_only_what_a_demo_made(tmp_path):
    mine = tmp_path / "letters"
    mine.mkdir()
    (mine / "letter.txt").write_text("dear all")
    with pytest.raises(Problem, match="not made by the demo"):
        demo.forget(mine, ask=False)
    assert (mine / "letter.txt").exists()
    theirs = tmp_path / "demo"
    theirs.mkdir()
    demo.keys(theirs)
    assert demo.forget(theirs, ask=False)
    assert not theirs.exists()
    assert demo.forget(theirs, ask=False)


def test_taken_port_is_replaced_by_the_next_free_one():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        port = demo.free_port(taken, set())
        assert port != taken
        assert demo.free_port(taken, {port}) not in {taken, port}


def test_callers_own_settings_do_not_reach_the_demo(tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://clinic/production")
    monkeypatch.setenv("SECRET_KEY_FILE", "/run/secrets/key")
    found = demo.environment(tmp_path, demo.Ports(1, 2, 3, 4))
    assert found["DATABASE_URL"] == f"sqlite:///{tmp_path / 'db.sqlite3'}"
    assert "SECRET_KEY_FILE" not in found
    assert (found["DEBUG"], found["ENV_FILE"]) == ("0", "")


def test_impatient_second_signal_does_not_interrupt_the_stopping():
    before = {number: signal.getsignal(number) for number in processes.STOP_SIGNALS}
    try:
        processes.stop_on_signals()
        with pytest.raises(Stop):
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
