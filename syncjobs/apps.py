"""The app that moves data. Celery is loaded here, so that ``connector`` stays importable without Django."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class SyncjobsConfig(AppConfig):
    name = "syncjobs"
    verbose_name = "Synchronisation"

    def ready(self) -> None:
        # Here and not above: both need the apps, which are only being loaded there.
        from connector import celery  # noqa: PLC0415
        from syncjobs.beat import after_migrate  # noqa: PLC0415

        post_migrate.connect(after_migrate, sender=self, dispatch_uid="syncjobs.beat")
        celery.app.autodiscover_tasks(["syncjobs"])
