"""The site's addresses: signing in, the admin, the health check, and whatever ``syncjobs`` adds."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views.generic import RedirectView


@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer ``ok`` when this process can reach its database; used by load balancers and docker-compose."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ok", content_type="text/plain")


urlpatterns = [
    path("", login_not_required(RedirectView.as_view(pattern_name="admin:index")), name="home"),
    path("healthz", healthz, name="healthz"),
    path("admin/", include("tenants.urls")),
    path("admin/", include("syncjobs.urls")),
    path("admin/", admin.site.urls),
]
