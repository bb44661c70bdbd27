"""The site's settings, one file for every place it runs; what differs comes from the environment.

``connector/environment.py`` reads that environment and refuses to start without what production needs.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF, UNSAFE_INLINE
from django.templatetags.static import static
from django.urls import reverse_lazy

from connector.environment import read_environment
from connector.logs import configure_structlog, logging_config

BASE_DIR = Path(__file__).resolve().parent.parent

# A task is killed at its limit; the broker gives it to another worker only well after that, never while it runs.
TASK_TIME_LIMIT_S = 15 * 60
VISIBILITY_TIMEOUT_S = 2 * TASK_TIME_LIMIT_S

_environment = read_environment(os.environ, visibility_timeout_s=VISIBILITY_TIMEOUT_S)

DEBUG = _environment.debug
SECRET_KEY = _environment.secret_key
ALLOWED_HOSTS = _environment.allowed_hosts
# Tenants' addresses on private or loopback networks, and plain http: off unless the site is told otherwise.
ALLOW_PRIVATE_HOSTS = _environment.allow_private_hosts

# Real Fernet keys, newest first: nothing is derived from them, so a passphrase cannot be one.
FERNET_KEYS = _environment.fernet_keys
FERNET_USE_HKDF = False

INSTALLED_APPS = [
    # The theme replaces admin templates, so it stands before them.
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.inlines",
    "unfold.contrib.import_export",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "import_export",
    "django_celery_beat",
    "django_otp",
    "axes",
    "csp",
    "django_structlog",
    "tenants",
    "syncjobs",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "tenants.sign_in.middleware.SignedInMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "axes.middleware.AxesMiddleware",  # last, as its documentation asks
]

ROOT_URLCONF = "connector.urls"
WSGI_APPLICATION = "connector.wsgi.application"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": _environment.database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en-us"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# --- who may come in ---------------------------------------------------------------------------------------------

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

# Off only on a site that nobody else reaches (connector/environment.py refuses anything else), and said on every page.
REQUIRE_SECOND_FACTOR = _environment.require_second_factor
OTP_TOTP_ISSUER = "ml-connector"
PASSWORD_RESET_TIMEOUT = 24 * 60 * 60

# Five wrong passwords or codes for one name from one address lock that pair for an hour; another person is not locked
# out, and trying again meanwhile does not prolong it.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 1
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_LOCKOUT_CALLABLE = "tenants.sign_in.pages.locked"
AXES_DISABLE_ACCESS_LOG = True  # the audit trail tells who signed in
AXES_ENABLE_ADMIN = False  # a person's page unlocks
AXES_VERBOSE = False

# A session ends after so long without a request, and in any case after the age of its cookie; whoever has proven who
# they are within CONFIRM_FOR_S is not asked again before a secret, a role, going live or a replay. All in seconds.
SESSION_IDLE_S = 30 * 60
SESSION_COOKIE_AGE = 12 * 60 * 60
CONFIRM_FOR_S = 15 * 60
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = _environment.https
CSRF_COOKIE_SECURE = _environment.https
SECURE_SSL_REDIRECT = _environment.https
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]  # asked from inside, over plain HTTP
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60 if _environment.https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _environment.https
SECURE_HSTS_PRELOAD = _environment.https
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _environment.https else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# Scripts come from our own static files only: none inline, and none made from text (docs/access.md says what the theme
# needed for that). Styles come from files too, but for the few that the theme's pages set in attributes.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF, UNSAFE_INLINE],
        "style-src-elem": [SELF],
        "style-src-attr": [UNSAFE_INLINE],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    },
}

# --- static files ------------------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]  # files that stand in place of the theme's
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
_ICON = (  # two arrows, one each way; inline, so that it needs no file and no other origin
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' fill='none' stroke='%239333ea'"
    " stroke-width='3'%3E%3Cpath d='M2 8h18l-5-5M22 16H4l5 5'/%3E%3C/svg%3E"
)
UNFOLD = {
    "SITE_TITLE": "ml-connector",
    "SITE_HEADER": "ml-connector",
    "SITE_SUBHEADER": "Epicor and AvidXchange",
    "SITE_SYMBOL": "sync_alt",
    "SITE_URL": None,  # there is no other site to return to
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda _request: _ICON}],
    "DASHBOARD_CALLBACK": "syncjobs.views.dashboard",
    "STYLES": [lambda _request: static("tenants/colors.css"), lambda _request: static("syncjobs/admin.css")],
    "SCRIPTS": [lambda _request: static("tenants/theme.js")],
    "GLOBAL_CALLBACK": "tenants.sign_in.pages.without_colors",
    "SIDEBAR": {"navigation": "syncjobs.navigation.sidebar"},
    "ENVIRONMENT": "tenants.sign_in.pages.badge",
    "ACCOUNT": {
        "navigation": [
            {"title": "Your sign-in", "link": reverse_lazy("sign_in:account")},
            {"title": "Change password", "link": reverse_lazy("admin:password_change")},
        ],
    },
}

# --- exports: a cell that begins like a formula is written as text ------------------------------------------------

IMPORT_EXPORT_ESCAPE_FORMULAE_ON_EXPORT = True
IMPORT_EXPORT_USE_TRANSACTIONS = True

# --- tasks: the database row is the queue, Celery the doorbell (design 5.8) ----------------------------------------

CELERY_BROKER_URL = _environment.broker_url
CELERY_BROKER_TRANSPORT_OPTIONS = _environment.broker_options
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = TIME_ZONE
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = TASK_TIME_LIMIT_S
CELERY_TASK_SOFT_TIME_LIMIT = TASK_TIME_LIMIT_S - 60
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_MAX_TASKS_PER_CHILD = 500
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Remote calls and runs in which nothing happened are kept this long; records, problems and the audit trail for ever.
KEEP_HISTORY_DAYS = 90
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"

# --- logs --------------------------------------------------------------------------------------------------------

configure_structlog()
LOGGING = logging_config(debug=DEBUG)
DJANGO_STRUCTLOG_CELERY_ENABLED = True
