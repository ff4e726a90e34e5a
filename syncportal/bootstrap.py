"""From a bare Python to a complete ``.venv``; the standard library only.

``ensure()`` is safe to repeat: a stamp in ``.venv`` names the locks that are installed there, so
the second time costs nothing, and an interrupted or outdated environment is put right. Whatever
goes wrong ends in a sentence (``Problem``), never in a stack trace.

Who installs, the first that is there: ``uv``, the running Python's pip, or pip's own wheel, which
is fetched by name from the package index and used only if its SHA-256 is the one below. (A fresh
Debian has neither pip nor ensurepip.)
"""

from __future__ import annotations

import argparse
import base64
import configparser
import hashlib
import importlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MINIMUM = (3, 11)
RUNTIME_LOCK = "requirements.txt"
DEV_LOCK = "requirements-dev.txt"  # holds everything of the runtime lock too
STAMP = "syncportal-locks"
STARTED = "SYNCPORTAL_STARTED_AGAIN"

PIP_WHEEL = "pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
PYPI = "https://pypi.org/simple"
INSTALL = ["install", "--require-hashes", "--only-binary", ":all:"]
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)(\s*;)?", re.MULTILINE)


class Problem(Exception):
    """Something the person in front of the terminal can understand and change."""


def run_verb(verb: str, arguments: list[str]) -> int:
    """Run `demo` or `verify` inside a complete environment; returns the exit code."""
    try:
        check_python()
        module = importlib.import_module(f"syncportal.{verb}")
        options = module.parser().parse_args(arguments)  # --help and typos need no environment
        python = ensure(ROOT, dev=verb == "verify")
        if not is_running(python):
            return start_again(python, [str(ROOT / "manage.py"), verb, *arguments])
        return int(module.main(options))
    except Problem as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130


def use_environment(argv: list[str]) -> int:
    """A Django command in a Python without Django: continue in ``.venv`` if there is one."""
    python = venv_python(ROOT)
    if python.exists() and not is_running(python) and STARTED not in os.environ:
        return start_again(python, [str(ROOT / "manage.py"), *argv[1:]])
    print(
        f"Django is not installed in this Python ({sys.executable}).\n"
        "`python3 manage.py demo` sets up .venv with everything; so does\n"
        "`python3 -m syncportal.bootstrap` without starting anything.",
        file=sys.stderr,
    )
    return 1


def check_python(version: tuple[int, ...] = tuple(sys.version_info[:3])) -> None:
    if tuple(version[:2]) < MINIMUM:
        raise Problem(
            f"SyncPortal needs Python {MINIMUM[0]}.{MINIMUM[1]} or newer; this is "
            f"{'.'.join(map(str, version))} ({sys.executable}).\n"
            "Install a newer one and run the command with it, for example: "
            "python3.12 manage.py demo"
        )
    if sys.platform == "win32":
        raise Problem("SyncPortal runs on Linux and macOS. On Windows use WSL.")


def ensure(root: Path, *, dev: bool) -> Path:
    """A Python that has the locked requirements; makes or completes ``.venv`` where needed."""
    if os.environ.get("SYNCPORTAL_NO_VENV") == "1":
        return Path(sys.executable)
    lock = root / (DEV_LOCK if dev else RUNTIME_LOCK)
    python = venv_python(root)
    if is_stamped(root, lock):
        return python
    if sys.prefix != sys.base_prefix and not is_running(python) and satisfies(lock):
        return Path(sys.executable)  # somebody's own virtual environment, and complete
    what = "SyncPortal and its test tools" if dev else "SyncPortal"
    print(f"Setting up .venv for {what} (once; about half a minute) …", file=sys.stderr)
    try:
        if not is_usable(root):
            make_venv(root / ".venv")
        install(python, lock)
        write_stamp(root, lock)
    except OSError as error:
        raise Problem(explain_os_error(error)) from error
    return python


# --- the environment ---------------------------------------------------------------------------


def venv_python(root: Path) -> Path:
    return root / ".venv" / "bin" / "python"


def is_running(python: Path) -> bool:
    """Whether this very process runs in the environment of ``python``."""
    return python == Path(sys.executable) or Path(sys.prefix).resolve() == (
        python.parent.parent.resolve()
    )


def is_usable(root: Path) -> bool:
    """Whether ``.venv`` has a Python that starts (it does not once its base Python is gone)."""
    python = venv_python(root)
    if not python.exists():
        return False
    check = f"import sys; sys.exit(sys.version_info < {MINIMUM!r} or sys.prefix == sys.base_prefix)"
    return (
        subprocess.run([str(python), "-c", check], check=False, capture_output=True).returncode == 0
    )


def make_venv(path: Path) -> None:
    try:
        import venv
    except ImportError:
        raise Problem(
            "This Python lacks its `venv` module. On Debian or Ubuntu: apt install python3-venv"
        ) from None
    venv.create(path, clear=True, symlinks=True, with_pip=False)


def fingerprint(root: Path, lock: Path) -> str | None:
    """Changes with the lock and with the environment's Python; None without an environment."""
    config = root / ".venv" / "pyvenv.cfg"
    if not config.is_file() or not venv_python(root).exists():
        return None
    lines = config.read_text(encoding="utf-8").splitlines()
    version = next((line for line in lines if line.startswith("version")), "")
    return hashlib.sha256(lock.read_bytes() + version.encode()).hexdigest()


def is_stamped(root: Path, lock: Path) -> bool:
    stamp = root / ".venv" / STAMP
    if not stamp.is_file():
        return False
    known = stamp.read_text(encoding="utf-8").split()
    # The developers' lock holds the other one, so it will do for both.
    return any(fingerprint(root, one) in known for one in (lock, lock.with_name(DEV_LOCK)))


def write_stamp(root: Path, lock: Path) -> None:
    """Last of all, so that an interrupted installation is never taken for a complete one."""
    (root / ".venv" / STAMP).write_text(f"{fingerprint(root, lock)}\n", encoding="utf-8")


def satisfies(lock: Path) -> bool:
    """Whether this Python has every pin of the lock (those for other platforms aside)."""
    for name, version, marker in PIN.findall(lock.read_text(encoding="utf-8")):
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found = None
        if found != version and not (marker and found is None):
            return False
    return True


def start_again(python: Path, arguments: list[str]) -> int:
    if os.environ.get(STARTED):
        raise Problem(
            f"{python} does not lead into its own environment. Delete .venv and try again."
        )
    os.environ[STARTED] = "1"
    sys.stdout.flush()
    os.execv(python, [str(python), *arguments])  # noqa: S606 -- our own Python, fixed arguments


# --- installing -----------------------------------------------------------------------------------


def install(python: Path, lock: Path) -> None:
    """Bring the environment to what the lock says; every file is checked against its hash."""
    uv = shutil.which("uv")
    if uv and uv_reads_our_settings():
        done = run([uv, "pip", *INSTALL, "--quiet", "--python", str(python), "-r", str(lock)])
        if done.returncode == 0:
            return
    with tempfile.TemporaryDirectory(prefix="syncportal-pip-") as folder:
        pip = pip_command(python, Path(folder))
        options = [
            "--quiet",
            "--no-input",
            "--disable-pip-version-check",
            "--no-warn-script-location",
        ]
        done = run([*pip, *INSTALL, *options, "-r", str(lock)])
    if done.returncode:
        raise Problem(explain_pip(done.stdout))


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def uv_reads_our_settings() -> bool:
    """uv knows nothing of pip's settings: where pip is sent to a mirror, pip has to do it."""
    sent = index_url() != PYPI
    return not sent or bool(os.environ.get("UV_INDEX_URL") or os.environ.get("UV_DEFAULT_INDEX"))


def pip_command(python: Path, folder: Path) -> list[str]:
    """How to call a pip that installs into ``python``'s environment."""
    if importlib.util.find_spec("pip"):
        version = str(importlib.import_module("pip").__version__)
        if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) >= (22, 3):
            return [sys.executable, "-m", "pip", "--python", str(python)]
    return [str(python), str(fetch_pip(folder) / "pip")]  # a wheel is a zip file: Python can run it


def fetch_pip(folder: Path) -> Path:
    """pip's wheel, checked, in ``folder``."""
    index = index_url().rstrip("/") + "/pip/"
    try:
        page = download(index).decode("utf-8", "replace")
        found = re.search(rf'href="([^"]*/)?({re.escape(PIP_WHEEL)})[^"]*"', page)
        if not found:
            raise Problem(f"The package index {hide_login(index)} does not offer {PIP_WHEEL}.")
        link = found.group(0)[len('href="') : -1].partition("#")[0].replace("&amp;", "&")
        content = download(with_login(urllib.parse.urljoin(index, link), index))
    except (OSError, ValueError) as error:  # URLError, SSLError and timeouts are OSErrors
        reason = getattr(error, "reason", error)
        raise Problem(
            f"The package index {hide_login(index)} cannot be reached: {reason}.\n{NETWORK_HINT}"
        ) from error
    if hashlib.sha256(content).hexdigest() != PIP_SHA256:
        raise Problem(f"{PIP_WHEEL} from {hide_login(index)} is not the expected file (SHA-256).")
    wheel = folder / PIP_WHEEL
    wheel.write_bytes(content)
    return wheel


def download(url: str) -> bytes:
    """The bytes at ``url``; proxies come from the environment, as urllib does by itself."""
    headers = {"Accept": "text/html", "User-Agent": "syncportal-bootstrap"}
    parts = urllib.parse.urlsplit(url)
    if parts.username is not None:
        login = (
            f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        )
        headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
        url = urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 -- the configured index
    authorities = pip_setting("cert") or os.environ.get("REQUESTS_CA_BUNDLE")
    context = ssl.create_default_context(cafile=authorities or os.environ.get("SSL_CERT_FILE"))
    with urllib.request.urlopen(request, timeout=60, context=context) as answer:  # noqa: S310
        body: bytes = answer.read()
    return body


def with_login(url: str, index: str) -> str:
    """Give a file on the index's own host the index's user and password; no other host gets them."""
    file, home = urllib.parse.urlsplit(url), urllib.parse.urlsplit(index)
    if file.hostname == home.hostname and home.username is not None and file.username is None:
        return urllib.parse.urlunsplit(file._replace(netloc=home.netloc))
    return url


def hide_login(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//", url)


def index_url() -> str:
    return pip_setting("index-url") or PYPI


def pip_setting(name: str) -> str | None:
    """What pip itself would use: its environment variable, else its configuration files."""
    value = os.environ.get("PIP_" + name.upper().replace("-", "_"))
    if value:
        return value
    home = Path.home()
    config_home = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    files = [Path("/etc/pip.conf"), home / ".pip" / "pip.conf", config_home / "pip" / "pip.conf"]
    if os.environ.get("PIP_CONFIG_FILE"):
        files.append(Path(os.environ["PIP_CONFIG_FILE"]))
    parser = configparser.RawConfigParser()
    try:
        parser.read(files, encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError):
        return None
    for section in ("install", "global"):
        if parser.has_option(section, name):
            return parser.get(section, name)
    return None


# --- saying what went wrong -------------------------------------------------------------------------

NETWORK_HINT = (
    "Is there a network? Behind a proxy set HTTPS_PROXY; for a mirror set PIP_INDEX_URL, and\n"
    "PIP_CERT if it has its own certificate authority. Then run the same command again."
)
SIGNS = [
    (r"No space left on device|Disk quota exceeded", "The disk is full: about 600 MB are needed."),
    (r"DO NOT MATCH THE HASHES", "A downloaded file is not the one that was locked (wrong hash)."),
    (
        r"CERTIFICATE_VERIFY_FAILED|SSLError|certificate verify failed",
        f"The package index's certificate is not trusted.\n{NETWORK_HINT}",
    ),
    (
        r"name resolution|NewConnectionError|ConnectTimeout|Connection refused|from versions: none"
        r"|ProxyError|ConnectionError|Max retries",
        f"The requirements could not be downloaded.\n{NETWORK_HINT}",
    ),
    (
        r"No matching distribution|Could not find a version",
        "The package index has no ready-made file of a requirement for this Python "
        f"({sys.version_info[0]}.{sys.version_info[1]}) and machine.",
    ),
    (r"Permission denied", "The files of .venv may not be written by this user."),
]


def explain_pip(output: str) -> str:
    """One sentence for a failed installation, and what pip said last."""
    sentence = next(
        (words for sign, words in SIGNS if re.search(sign, output)),
        "The requirements could not be installed.",
    )
    last = [hide_login(line) for line in output.splitlines() if line.strip()][-6:]
    return "\n".join([sentence, "", "pip said last:", *(f"  {line[:200]}" for line in last)])


def explain_os_error(error: OSError) -> str:
    text = str(error)
    known = next((words for sign, words in SIGNS if re.search(sign, text)), None)
    return f".venv could not be made: {known or text}"


def main() -> int:
    """``python3 -m syncportal.bootstrap [--dev]``: only set up, and print the Python to use."""
    parser = argparse.ArgumentParser(
        prog="python3 -m syncportal.bootstrap", description=main.__doc__
    )
    parser.add_argument("--dev", action="store_true", help="with the test tools")
    options = parser.parse_args()
    try:
        check_python()
        print(ensure(ROOT, dev=options.dev))
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
