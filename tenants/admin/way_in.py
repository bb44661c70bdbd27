"""How one person comes in, for whoever looks after that person: reset, link, unlock, each with a reason and audited."""

from __future__ import annotations

from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from tenants import access
from tenants.audit import Actor
from tenants.models import Membership
from tenants.sign_in import factors, lockout
from tenants.sign_in.confirmation import confirm_first
from tenants.sign_in.forms import WhyForm
from tenants.sign_in.told import tell


def page(request: HttpRequest, object_id: str) -> HttpResponse:
    """Show the page; a link that was asked for is in this one answer only."""
    person = access.people_for(request.user).filter(pk=object_id).first()
    if person is None:
        raise Http404
    may = access.may_let_in(request.user, person)
    forms = {name: WhyForm(auto_id=f"{name}_%s") for name in (_LINK, *_DO)}
    link = ""
    if request.method == "POST":
        if not may:
            raise PermissionDenied
        asked = confirm_first(request, before="you change how somebody signs in")
        if asked is not None:
            return asked
        chosen = request.POST.get("do", "")
        if chosen not in forms:
            raise Http404
        forms[chosen] = form = WhyForm(request.POST, auto_id=f"{chosen}_%s")
        if form.is_valid():
            actor, reason = Actor.for_user(request.user), form.cleaned_data["reason"]
            if chosen != _LINK:
                messages.success(request, _DO[chosen](person, actor, reason))
                return HttpResponseRedirect(reverse("admin:auth_user_way_in", args=[person.pk]))
            link = request.build_absolute_uri(password_link(person, actor=actor, reason=reason))
    context = {**admin.site.each_context(request), **_known(request, person), "may": may, "forms": forms, "link": link}
    answer = TemplateResponse(request, "admin/auth/user/way_in.html", context)
    add_never_cache_headers(answer)
    return answer


def password_link(person: User, *, actor: Actor, reason: str) -> str:
    """Return the path on which a person chooses a new password: good once, for a day, and until the next sign-in.

    What makes it good stands behind the "#", which browsers keep to themselves, so that no log has it.
    """
    tell(person, "password.link_made", actor=actor, reason=reason)
    key = urlsafe_base64_encode(force_bytes(person.pk))
    return f"{reverse('sign_in:password_link')}#{key}.{default_token_generator.make_token(person)}"


def _known(request: HttpRequest, person: User) -> dict[str, Any]:
    """Return what the page tells; of roles those with tenants that the person who looks may see."""
    roles = access.scope(Membership.objects.filter(user=person).select_related("tenant"), request.user)
    wrong = AccessAttempt.objects.filter(username=person.get_username())
    return {
        "title": f"Sign-in of {person.get_username()}",
        "person": person,
        "roles": list(roles),
        "device": factors.authenticator(person),
        "codes_left": factors.codes_left(person),
        "locked": wrong.filter(failures_since_start__gte=settings.AXES_FAILURE_LIMIT).exists(),
        "own": person.pk == request.user.pk,
    }


def _reset(person: User, actor: Actor, reason: str) -> str:
    factors.reset(person, actor=actor, reason=reason)
    return f"{person.get_username()} is signed out everywhere and sets up a new app at the next sign-in."


def _unlock(person: User, actor: Actor, reason: str) -> str:
    lockout.unlock(person, actor=actor, reason=reason)
    return f"{person.get_username()} may try again at once."


_LINK = "link"
_DO = {"reset": _reset, "unlock": _unlock}
