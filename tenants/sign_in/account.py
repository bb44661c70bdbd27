"""A person's own page about signing in: the app, recovery codes, the password, and being asked again."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.contrib.auth.views import INTERNAL_RESET_SESSION_TOKEN, PasswordResetConfirmView, RedirectURLMixin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse, reverse_lazy
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST
from django.views.generic import FormView

from tenants.audit import Actor
from tenants.sign_in import factors, sessions
from tenants.sign_in.confirmation import confirm_first, confirmed_posts
from tenants.sign_in.forms import FirstCodeForm, LinkForm, NewPasswordForm
from tenants.sign_in.pages import NOT_OF_THE_PICTURE, shown_once, site, to_scan
from tenants.sign_in.told import tell


@never_cache
def confirm(request: HttpRequest) -> HttpResponse:
    """Ask who it is, and go back."""
    view = RedirectURLMixin()
    view.request, view.next_page = request, "admin:index"  # type: ignore[attr-defined]  # as View.setup does
    return confirm_first(request, before="you go on") or HttpResponseRedirect(view.get_success_url())


@never_cache
def account(request: HttpRequest) -> HttpResponse:
    """Show a person's own second factor."""
    user = _person(request)
    context = {"device": factors.authenticator(user), "codes_left": factors.codes_left(user)}
    return TemplateResponse(request, "admin/sign_in/account.html", {**site(request, "Your sign-in"), **context})


@never_cache
@require_POST
@confirmed_posts("you get new recovery codes")
def codes(request: HttpRequest) -> HttpResponse:
    """Make new recovery codes and show them."""
    user = _person(request)
    if factors.authenticator(user) is None:
        messages.error(request, "Set up an authenticator app first.")
        return HttpResponseRedirect(reverse("sign_in:account"))
    return shown_once(request, factors.renew_codes(user), reverse("sign_in:account"))


@never_cache
@sensitive_post_parameters()
def replace(request: HttpRequest) -> HttpResponse:
    """Set up another app in place of the one there is; it takes over once it is proven."""
    page = confirm_first(request, before="you set up another app")
    if page is not None:
        return page
    user = _person(request)
    form = FirstCodeForm(request.POST if "code" in request.POST else None)
    if form.is_valid():
        done = factors.enrol(user, form.cleaned_data["code"], replace=True)
        if done is not None:
            sessions.prove(request, done[0])
            return shown_once(request, done[1], reverse("sign_in:account"))
        form.add_error("code", NOT_OF_THE_PICTURE)
    context = {**site(request, "Set up an authenticator app"), "form": form}
    context |= to_scan(user, anew=not form.is_bound)
    return TemplateResponse(request, "admin/sign_in/replace.html", context)


def _person(request: HttpRequest) -> User:
    """Return who is signed in; the middleware lets nobody else come here."""
    user = request.user
    if not isinstance(user, User):
        raise TypeError("a visitor got past the middleware")
    return user


def change_password(request: HttpRequest) -> HttpResponse:
    """Change one's own password on the theme's page, which asks for the old one; other sessions end by it."""
    answer: HttpResponse = admin.site.password_change(request)
    if request.method == "POST" and isinstance(answer, HttpResponseRedirect):
        user = _person(request)
        tell(user, "password.changed", actor=Actor.for_user(user))
    return answer


@method_decorator([login_not_required, never_cache, sensitive_post_parameters()], name="dispatch")
class PasswordLink(FormView):  # type: ignore[type-arg]  # generic in the stubs only
    """Where a password link leads: its code comes behind the "#", and a script of ours sends it in."""

    template_name = "admin/sign_in/password_link.html"
    form_class = LinkForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add what the admin's pages have."""
        return {**site(self.request, "Choose a password"), **super().get_context_data(**kwargs)}

    def form_valid(self, form: Any) -> HttpResponse:
        """Keep the code in the session, as Django does; the next page says whether it is good."""
        key, _dot, token = form.cleaned_data["code"].partition(".")
        self.request.session[INTERNAL_RESET_SESSION_TOKEN] = token
        return HttpResponseRedirect(reverse("sign_in:set_password", args=[key]))


@method_decorator(login_not_required, name="dispatch")
class SetPassword(PasswordResetConfirmView):
    """A new password by a link, and then the sign-in page like everybody else."""

    template_name = "admin/sign_in/set_password.html"
    form_class = NewPasswordForm
    reset_url_token = "of-session"  # noqa: S105  (a word in our own address, no token)
    success_url = reverse_lazy("admin:login")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add what the admin's pages have."""
        return {**site(self.request, "Choose a password"), **super().get_context_data(**kwargs)}

    def form_valid(self, form: Any) -> HttpResponse:
        """Save, and tell of it."""
        answer = super().form_valid(form)
        tell(form.user, "password.set_by_link", actor=Actor.for_user(form.user))
        messages.success(self.request, "Your password is set. Sign in with it.")
        return answer
