"""The app that moves data. Celery is loaded here, so that ``connector`` stays importable without Django."""

from __future__ import annotations

from django.apps import AppConfig


class SyncjobsConfig(AppConfig):
    name = "syncjobs"
    verbose_name = "Synchronisation"

    def ready(self) -> None:
        from connector import celery

        celery.app.autodiscover_tasks(["syncjobs"])
