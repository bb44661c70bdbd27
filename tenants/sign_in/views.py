"""The pages on which people come in: password, code, enrolling an app, and each person's own page about it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, RedirectURLMixin, redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import FormView

from tenants.sign_in import factors, lockout, sessions
from tenants.sign_in.confirmation import wrong_code
from tenants.sign_in.forms import CodeForm, FirstCodeForm
from tenants.sign_in.pages import NOT_OF_THE_PICTURE, shown_once, site, to_scan


@method_decorator(login_not_required, name="dispatch")
class PasswordStep(LoginView):
    """The first page. A right password signs nobody in where a second factor is asked for."""

    template_name = "admin/login.html"
    next_page = "admin:index"

    def get_form_class(self) -> Any:
        """Take the theme's form, which lets staff in only."""
        return admin.site.login_form

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add what the admin's own sign-in page has."""
        request = self.request
        return {**site(request, "Log in"), "app_path": request.get_full_path(), **super().get_context_data(**kwargs)}

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Send whoever is in already to the first page."""
        if request.method == "GET" and admin.site.has_permission(request):
            return HttpResponseRedirect(reverse("admin:index"))
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        """Go on to the second factor."""
        user: User = form.get_user()
        known = factors.authenticator(user) is not None
        if not known and not settings.REQUIRE_SECOND_FACTOR:
            sessions.begin(self.request, user, user.backend, None)
            return HttpResponseRedirect(self.get_success_url())
        sessions.wait_for(self.request, user)
        if not known:  # a key that somebody else may have seen, with the same password, is not gone on with
            factors.begun(user, anew=True)
        return _to("code" if known else "enrol", self)

    def form_invalid(self, form: Any) -> HttpResponse:
        """Tell of it."""
        lockout.tell_failure(self.request, self.request.POST.get("username", ""), step="password")
        return super().form_invalid(form)


def _to(name: str, view: RedirectURLMixin) -> HttpResponse:
    """Go to another page of the sign-in, taking the way back along."""
    return _with_way_back(reverse(f"sign_in:{name}"), view)


def _with_way_back(address: str, view: RedirectURLMixin) -> HttpResponse:
    back = view.get_redirect_url()
    return redirect_to_login(back, address) if back else HttpResponseRedirect(address)


@method_decorator([login_not_required, never_cache, sensitive_post_parameters()], name="dispatch")
class SecondStep(RedirectURLMixin, FormView):  # type: ignore[type-arg]  # generic in the stubs only
    """A page for somebody whose password was right a moment ago."""

    next_page = "admin:index"
    title = ""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Send whoever has not shown a password, or too long ago, back to that."""
        waits = sessions.waiting(request)
        if waits is None:
            messages.info(request, "Please begin again with your password.")
            return _with_way_back(reverse("admin:login"), self)
        self.user, self.backend = waits.user, waits.backend
        if request.method == "POST" and lockout.is_locked(request, self.user):
            return _with_way_back(reverse("admin:login"), self)
        return super().dispatch(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add what the admin's pages have."""
        return {**site(self.request, self.title), "person": self.user, **super().get_context_data(**kwargs)}


class CodeStep(SecondStep):
    """The second page: a code."""

    template_name = "admin/sign_in/code.html"
    form_class = CodeForm
    title = "Second factor"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Enrol first, if the app was taken away between the two pages."""
        if factors.authenticator(self.user) is None:
            return _to("enrol", self)
        return super().get(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        """Sign in by a right code; a wrong one is counted, told and shown."""
        device = factors.take(self.user, form.cleaned_data["code"])
        if device is None:
            lockout.count_wrong_code(self.request, self.user)
            lockout.tell_failure(self.request, self.user.get_username(), step="code")
            form.add_error("code", wrong_code(self.user, form.cleaned_data["code"]))
            return self.form_invalid(form)
        sessions.begin(self.request, self.user, self.backend, device)
        left = factors.codes_left(self.user)
        if device != factors.authenticator(self.user):
            messages.warning(self.request, f"That recovery code is used up; you have {left} left.")
        return HttpResponseRedirect(self.get_success_url())


class EnrolStep(SecondStep):
    """The second page of somebody who has no second factor yet."""

    template_name = "admin/sign_in/enrol.html"
    form_class = FirstCodeForm
    title = "Set up your second factor"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Nobody gets around the app that is there by enrolling another one."""
        if factors.authenticator(self.user) is not None:
            return _to("code", self)
        return super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """As above."""
        if factors.authenticator(self.user) is not None:
            return _to("code", self)
        return super().post(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the picture and the key."""
        return {**to_scan(self.user), **super().get_context_data(**kwargs)}

    def form_valid(self, form: Any) -> HttpResponse:
        """Sign in by the first right code, and show the recovery codes."""
        done = factors.enrol(self.user, form.cleaned_data["code"])
        if done is None:
            form.add_error("code", NOT_OF_THE_PICTURE)
            return self.form_invalid(form)
        device, codes = done
        sessions.begin(self.request, self.user, self.backend, device)
        return shown_once(self.request, codes, self.get_success_url())
