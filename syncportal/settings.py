"""Django's settings. Every variable that they read is explained in docs/settings.md."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from syncportal.env import (
    env,
    env_address,
    env_bool,
    env_hour,
    env_int,
    env_list,
    env_mail,
    env_secret,
    read_env_file,
)
from syncportal.logs import logging_settings

BASE_DIR = Path(__file__).resolve().parent.parent
read_env_file(BASE_DIR / ".env")

LOCAL_HOSTS = ["localhost", "127.0.0.1", "[::1]", "testserver"]

DEBUG = env_bool("DEBUG")
SECRET_KEY = env_secret(
    "SECRET_KEY",
    fallback="only-for-a-developers-machine-" * 2 if DEBUG else None,
    how="Set it to 50 or more random characters and keep it.",
)
# The first key encrypts, all of them decrypt: a new one goes in front.
CREDENTIALS_KEY = env_secret(
    "CREDENTIALS_KEY",
    fallback="only-for-a-developers-machine" if DEBUG else None,
    how="Set it to a long random text and keep it: connections' credentials are encrypted with it.",
)
CREDENTIALS_KEYS = [key.strip() for key in CREDENTIALS_KEY.split(",") if key.strip()]
ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", default=LOCAL_HOSTS)

# Plain http is for this machine alone: the default follows from the names that are answered.
INSECURE_HTTP = env_bool("INSECURE_HTTP", default=DEBUG or set(ALLOWED_HOSTS) <= set(LOCAL_HOSTS))

# --- the application -----------------------------------------------------------------------------

ROOT_URLCONF = "syncportal.urls"
WSGI_APPLICATION = "syncportal.wsgi.application"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework.authtoken",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_q",
    "django_htmx",
    "axes",
    "csp",
    "appointments",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",  # last: it turns a lock-out of the sign-in into an answer
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    },
]

# --- database and background work ----------------------------------------------------------------

DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'db.sqlite3'}")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ON_SQLITE = DATABASES["default"]["ENGINE"].endswith("sqlite3")
if ON_SQLITE:
    # Readers and one writer at a time, and a writer queues from its first statement on. Without
    # IMMEDIATE two transactions that read before they write fail at once, whatever the timeout.
    DATABASES["default"].setdefault("OPTIONS", {}).update(
        timeout=20,
        transaction_mode="IMMEDIATE",
        init_command="PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    )
else:
    # The task broker is the database: a connection a call would make it six times slower.
    DATABASES["default"].update(CONN_MAX_AGE=60, CONN_HEALTH_CHECKS=True)
    # The server logs a statement that fails: with $1 in it, and not with a patient's name (law 14).
    DATABASES["default"].setdefault("OPTIONS", {})["server_side_binding"] = True

WORKERS = env_int("WORKERS", 1 if ON_SQLITE else 2)
Q_CLUSTER: dict[str, Any] = {
    "name": "syncportal",
    "orm": "default",
    "workers": WORKERS,
    "queue_limit": WORKERS,  # more would wait locked in memory and be handed out a second time
    "bulk": 1,
    "poll": 0.5,
    "timeout": 60,
    "retry": 200,  # well over the timeout: only what was surely lost is handed out again
    "max_attempts": 5,
    "ack_failures": False,
    "save_limit": 50,
    "catch_up": False,
    "recycle": 200,
    "guard_cycle": 1,
}

# --- who may come in, and over which wire ----------------------------------------------------------

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False  # it would write the names people typed, sometimes passwords, into the log

# A working day from sign-in. Not renewed by requests: pages that refresh themselves would keep a
# session alive at an empty desk for ever.
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = not INSECURE_HTTP
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics$"]  # asked for by the machine itself
SECURE_HSTS_SECONDS = 0 if INSECURE_HTTP else 365 * 24 * 60 * 60
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not INSECURE_HTTP
if env_bool("BEHIND_PROXY"):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        **{f"{kind}-src": ["'self'"] for kind in ("script", "style", "font", "connect")},
        "img-src": ["'self'", "data:"],  # the admin's icons are data: images of its style sheet
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    },
}

# --- mail to divisions' contacts and to people ------------------------------------------------------

globals().update(env_mail("EMAIL_URL"))
DEFAULT_FROM_EMAIL = env("EMAIL_FROM", default="") or "SyncPortal <syncportal@localhost>"
PORTAL_URL = env_address("PORTAL_URL")  # for the link in a mail: a worker knows no host's name
# The hour of a division's own clock from which its statement of the morning is made.
STATEMENT_HOUR = env_hour("STATEMENT_HOUR", 7)

# --- API -------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "PAGE_SIZE": 50,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "SyncPortal",
    "DESCRIPTION": "Appointments of an EMR and of OnCall Health: what differs, and how it is settled.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

# --- words, times, files, logs -----------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English")]
TIME_ZONE = "UTC"  # a visit is shown in its division's zone, whatever the server's

# With STATIC_ROOT, `collectstatic` gives every file a name with its hash, cached for ever.
# Without, files are served from where they lie: nothing to prepare.
STATIC_URL = "/static/"
STATIC_ROOT = env("STATIC_ROOT", default="") or None
WHITENOISE_USE_FINDERS = STATIC_ROOT is None
HASHED, PLAIN = "whitenoise.storage.CompressedManifest", "django.contrib.staticfiles.storage."
STORAGES = {"staticfiles": {"BACKEND": f"{HASHED if STATIC_ROOT else PLAIN}StaticFilesStorage"}}

LOGGING = logging_settings(env("LOG_LEVEL", default="INFO"))
