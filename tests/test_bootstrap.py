"""From a bare Python to .venv. Nothing is downloaded here; .ci/run and the README's commands do."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import subprocess
import sys
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from syncportal import bootstrap
from syncportal.bootstrap import Problem

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def no_pip_settings(monkeypatch, tmp_path):
    for name in ("PIP_INDEX_URL", "PIP_CONFIG_FILE", "PIP_CERT", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", bootstrap.STARTED):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("SYNCPORTAL_NO_VENV", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def house(tmp_path):
    """A project folder with an environment, as if `install` had just been run."""
    for lock in (bootstrap.RUNTIME_LOCK, bootstrap.DEV_LOCK):
        (tmp_path / lock).write_text(f"# {lock}\n", encoding="utf-8")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / ".venv" / "pyvenv.cfg").write_text("version = 3.11.7\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def index():
    """A package index on loopback: path → body; and the requests it saw."""

    class Handler(BaseHTTPRequestHandler):
        def __init__(self, pages, seen, *arguments):
            self.pages, self.seen = pages, seen
            super().__init__(*arguments)

        def do_GET(self):
            self.seen.append((self.path, self.headers.get("Authorization")))
            body = self.pages.get(self.path)
            self.send_response(200 if body is not None else 404)
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *arguments):
            pass

    pages: dict[str, bytes] = {}
    seen: list[tuple[str, str | None]] = []
    server = HTTPServer(("127.0.0.1", 0), partial(Handler, pages, seen))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"127.0.0.1:{server.server_port}", pages, seen
    server.shutdown()
    thread.join()
    server.server_close()


def test_python_that_is_too_old_is_refused_in_words():
    with pytest.raises(Problem, match=r"needs Python 3\.11 or newer; this is 3\.9\.2"):
        bootstrap.check_python((3, 9, 2))
    bootstrap.check_python((3, 11, 0))


def test_files_of_the_first_steps_can_be_read_by_an_older_python():
    for name in ("manage.py", "syncportal/bootstrap.py"):
        ast.parse((ROOT / name).read_text(encoding="utf-8"), feature_version=(3, 8))


def test_first_steps_need_the_standard_library_only():
    code = (
        "import sys; import syncportal.bootstrap, syncportal.demo, syncportal.verify;"
        "sys.exit(int('django' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, check=False)
    assert done.returncode == 0


def test_stamped_environment_is_not_touched_again(house, monkeypatch):
    bootstrap.write_stamp(house, house / bootstrap.RUNTIME_LOCK)
    monkeypatch.setattr(bootstrap, "install", lambda *_: pytest.fail("installed again"))
    assert bootstrap.ensure(house, dev=False) == house / ".venv" / "bin" / "python"


def test_developers_environment_will_do_for_the_demo_but_not_the_other_way_round(house):
    bootstrap.write_stamp(house, house / bootstrap.DEV_LOCK)
    assert bootstrap.is_stamped(house, house / bootstrap.RUNTIME_LOCK)
    bootstrap.write_stamp(house, house / bootstrap.RUNTIME_LOCK)
    assert not bootstrap.is_stamped(house, house / bootstrap.DEV_LOCK)


def test_changed_lock_or_other_python_ends_the_stamp(house):
    lock = house / bootstrap.RUNTIME_LOCK
    bootstrap.write_stamp(house, lock)
    (house / ".venv" / "pyvenv.cfg").write_text("version = 3.12.1\n", encoding="utf-8")
    assert not bootstrap.is_stamped(house, lock)
    bootstrap.write_stamp(house, lock)
    lock.write_text("# another\n", encoding="utf-8")
    assert not bootstrap.is_stamped(house, lock)


def test_interrupted_installation_is_not_taken_for_a_complete_one(house, monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(bootstrap, "is_usable", lambda _: True)
    monkeypatch.setattr(bootstrap, "install", interrupted)
    monkeypatch.setattr(sys, "base_prefix", sys.prefix)
    with pytest.raises(KeyboardInterrupt):
        bootstrap.ensure(house, dev=False)
    assert not bootstrap.is_stamped(house, house / bootstrap.RUNTIME_LOCK)


def test_full_disk_is_said_in_words(house, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bootstrap, "is_usable", lambda _: True)
    monkeypatch.setattr(bootstrap, "install", full)
    monkeypatch.setattr(sys, "base_prefix", sys.prefix)
    with pytest.raises(Problem, match="The disk is full"):
        bootstrap.ensure(house, dev=False)


def test_running_python_is_used_as_it_is_when_told_so(house, monkeypatch):
    monkeypatch.setenv("SYNCPORTAL_NO_VENV", "1")
    assert bootstrap.ensure(house, dev=True) == Path(sys.executable)


def test_lock_is_satisfied_only_by_exactly_its_versions(tmp_path):
    lock = tmp_path / "requirements.txt"
    django = importlib.metadata.version("django")
    lock.write_text(
        f"django=={django} \\\n    --hash=sha256:00\n"
        "only-on-windows==1.0 ; sys_platform == 'win32' \\\n    --hash=sha256:00\n",
        encoding="utf-8",
    )
    assert bootstrap.satisfies(lock)
    lock.write_text("django==1.0 \\\n    --hash=sha256:00\n", encoding="utf-8")
    assert not bootstrap.satisfies(lock)
    lock.write_text("not-installed-at-all==1.0\n", encoding="utf-8")
    assert not bootstrap.satisfies(lock)


def test_pip_is_used_only_with_the_expected_hash(index, monkeypatch, tmp_path):
    host, pages, seen = index
    monkeypatch.setenv("PIP_INDEX_URL", f"http://clinic:pa%40ss@{host}/simple")
    link = f'<a href="../../files/{bootstrap.PIP_WHEEL}#sha256=00">pip</a>'
    pages["/simple/pip/"] = link.encode()
    pages[f"/files/{bootstrap.PIP_WHEEL}"] = b"a wheel"
    with pytest.raises(Problem, match="not the expected file") as caught:
        bootstrap.fetch_pip(tmp_path)
    assert "pa%40ss" not in str(caught.value)
    monkeypatch.setattr(bootstrap, "PIP_SHA256", hashlib.sha256(b"a wheel").hexdigest())
    assert bootstrap.fetch_pip(tmp_path).read_bytes() == b"a wheel"
    assert {login for _, login in seen} == {"Basic Y2xpbmljOnBhQHNz"}


def test_index_login_goes_to_no_other_host():
    index = "https://clinic:secret@mirror.example.org/simple/pip/"
    assert "secret" in bootstrap.with_login("https://mirror.example.org/pip.whl", index)
    assert "secret" not in bootstrap.with_login("https://files.example.net/pip.whl", index)


def test_missing_network_is_said_in_words(index, monkeypatch, tmp_path):
    host, _, _ = index
    monkeypatch.setenv("PIP_INDEX_URL", f"http://{host}/nothing-here")
    with pytest.raises(Problem, match=r"cannot be reached: .*\n.*PIP_INDEX_URL"):
        bootstrap.fetch_pip(tmp_path)


def test_untrusted_certificate_setting_is_said_in_words(monkeypatch, tmp_path):
    (tmp_path / "empty.pem").write_text("nothing", encoding="utf-8")
    monkeypatch.setenv("PIP_CERT", str(tmp_path / "empty.pem"))
    monkeypatch.setenv("PIP_INDEX_URL", "https://127.0.0.1:1/simple")
    with pytest.raises(Problem, match="cannot be reached"):
        bootstrap.fetch_pip(tmp_path)


def test_pips_configuration_file_names_the_index(monkeypatch, tmp_path):
    config = tmp_path / "pip.conf"
    config.write_text("[global]\nindex-url = https://mirror.example.org/simple\n", encoding="utf-8")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    assert bootstrap.index_url() == "https://mirror.example.org/simple"
    assert not bootstrap.uv_reads_our_settings()


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("ERROR: [Errno 28] No space left on device", "The disk is full"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES", "wrong hash"),
        ("Temporary failure in name resolution", "could not be downloaded"),
        ("ERROR: No matching distribution found for x", "no ready-made file"),
        ("something else", "could not be installed"),
    ],
)
def test_failed_installation_is_explained(output, sentence):
    assert sentence in bootstrap.explain_pip(output)


def test_no_login_of_a_mirror_is_repeated():
    assert "secret" not in bootstrap.explain_pip("Looking in https://clinic:secret@mirror/simple")


def test_going_round_in_circles_ends_in_words(monkeypatch, tmp_path):
    monkeypatch.setenv(bootstrap.STARTED, "1")
    with pytest.raises(Problem, match=r"Delete \.venv"):
        bootstrap.start_again(tmp_path / "python", [])
