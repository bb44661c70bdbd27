"""Settings for tests: the site's own, with stand-ins for what the environment did not give.

Production's switches stay as they are (DEBUG off); only what would make tests slow or talk to a real broker differs.
"""

from __future__ import annotations

import os

from connector.environment import DEVELOPMENT

for _name, _value in DEVELOPMENT.items():
    os.environ.setdefault(_name, _value)

from connector.settings import *  # noqa: E402, F403  (the stand-ins must be set before the site's settings are read)

ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
CELERY_BROKER_URL = "memory://"
CELERY_BROKER_TRANSPORT_OPTIONS = {}
# Static files straight from their packages: nothing is collected before a test.
WHITENOISE_AUTOREFRESH = True
WHITENOISE_USE_FINDERS = True
