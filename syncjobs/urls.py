"""Pages of ours that belong to no one list of the admin."""

from __future__ import annotations

from django.urls import path

from syncjobs import views

app_name = "syncjobs"
urlpatterns = [
    path("replay/", views.replay, name="replay"),
    path("invoices/<int:pk>/story/", views.story, name="story"),
]
