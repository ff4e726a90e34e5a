"""Settings of the practice systems; the environment carries only the database's place.

One process serves three ports; ``sandbox.world.middleware`` picks the URL
configuration from the port a request came in on.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent
DATABASE_FILE = os.environ.get("SANDBOX_DATABASE", str(BASE_DIR / "sandbox.sqlite3"))

DEBUG = False
# Nothing signed outlives the process: only the page's form tokens use the key.
SECRET_KEY = secrets.token_urlsafe(40)
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "sandbox.page.urls"
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
APPEND_SLASH = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATA_UPLOAD_MAX_MEMORY_SIZE = 50_000_000

INSTALLED_APPS = ["sandbox.oncall", "sandbox.emr", "sandbox.page"]

MIDDLEWARE = [
    "sandbox.world.middleware.SystemMiddleware",
    "sandbox.world.middleware.JournalMiddleware",
    "sandbox.world.middleware.FaultMiddleware",
    "sandbox.world.middleware.OnCallPathMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
]
CSRF_COOKIE_NAME = "sandbox_csrf"

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATABASE_FILE,
        # A thread serves one connection; its database connection lives as long.
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "timeout": 30,
            "transaction_mode": "IMMEDIATE",
            # A practice world may be lost in a power cut, never be slow.
            "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=OFF;",
        },
    }
}

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.csrf"]},
    }
]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["sandbox.oncall.keys.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "sandbox.oncall.paging.Pages",
    # Whether OPTIONS is answered is undocumented: 405, as with PUT and DELETE.
    "DEFAULT_METADATA_CLASS": None,
    "UNAUTHENTICATED_USER": None,
    "UNAUTHENTICATED_TOKEN": None,
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "loggers": {
        # A 404 or an injected 500 is this program's daily bread, not news.
        "django.request": {"handlers": ["stderr"], "level": "CRITICAL"},
        "django.server": {"handlers": ["stderr"], "level": "CRITICAL"},
        "sandbox": {"handlers": ["stderr"], "level": "INFO"},
    },
}
