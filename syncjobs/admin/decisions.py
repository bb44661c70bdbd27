"""Decisions that people take about rows, one or many: asked about first, carried out one by one, refusals row by row.

The page that asks says what the decision brings about; nothing is decided by following a link. Rows that the person
may not decide, another tenant's among them, do not exist here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from syncjobs.admin.lists import HistoryAdmin, address
from syncjobs.forms import ReasonForm
from syncjobs.pages import Button
from tenants import access
from tenants.access import Capability
from tenants.audit import Actor

#: As many as a list shows on its longest page; more at once nobody reads.
MOST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One thing that can be decided. ``done`` is said of how many rows it was; ``consequence`` before it is done."""

    name: str
    words: str
    done: str
    consequence: str
    needs_reason: bool = True
    primary: bool = False
    capability: Capability = Capability.REVIEW


@dataclass(frozen=True, slots=True)
class Asked:
    """One row that is asked about: what it is, what would become of it, and what that releases."""

    row: Any
    words: Any
    outcome: Any = ""
    released: Any = ""


class DecidingAdmin(HistoryAdmin):
    """A list whose rows are decided about."""

    decisions: ClassVar[Sequence[Decision]] = ()

    def ask(self, rows: Sequence[Any], decision: Decision, options: Mapping[str, str]) -> list[Asked]:
        """Return what the page that asks shows of each row."""
        return [Asked(row, str(row)) for row in rows]

    def carry_out(self, row: Any, decision: Decision, *, actor: Actor, reason: str, options: Mapping[str, str]) -> str:
        """Carry a decision out and return why not, "" when it was done."""
        return f"{decision.words} is nothing that can be decided here."

    def get_actions(self, request: HttpRequest) -> dict[str, tuple[Callable[..., HttpResponse], str, str]]:
        """Offer each decision for the rows that are ticked, to whoever may decide somewhere."""
        offered = [item for item in self.decisions if self.allowed(request, item.capability, None)]
        return {item.name: (_ask_about_ticked, item.name, item.words) for item in offered}

    def get_urls(self) -> list[URLPattern]:
        """Add the page that asks."""
        name = f"{self.opts.app_label}_{self.opts.model_name}_decide"
        return [path("decide/", self.admin_site.admin_view(self.decide), name=name), *super().get_urls()]

    def decide_button(self, row: Any, name: str, words: str = "", **options: str) -> Button:
        """Return the way to the page that asks about one row."""
        decision = self.decision(name)
        return Button(words or decision.words, self.decide_address(name, [row.pk], **options), decision.primary)

    def decide_address(self, name: str, pks: Sequence[Any], **options: str) -> str:
        """Return the address of the page that asks."""
        base = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_decide")
        return f"{base}?{urlencode({'decision': name, 'pk': list(pks), **options}, doseq=True)}"

    def decision(self, name: str) -> Decision:
        """Return a decision by its name, or answer 404."""
        found = next((item for item in self.decisions if item.name == name), None)
        if found is None:
            raise Http404
        return found

    def decide(self, request: HttpRequest) -> HttpResponse:
        """Ask about the rows named in the address; decide them when the answer is posted."""
        decision = self.decision(request.GET.get("decision", ""))
        rows = self._rows(request, decision)
        options = {name: str(value) for name, value in request.GET.items() if name not in ("decision", "pk")}
        form = ReasonForm(request.POST if request.method == "POST" else None, required=decision.needs_reason)
        if request.method == "POST" and form.is_valid():
            reason = form.cleaned_data["reason"]
            actor = Actor.for_user(request.user)
            refused = [
                (row, why)
                for row in rows
                if (why := self.carry_out(row, decision, actor=actor, reason=reason, options=options))
            ]
            return self._answer(request, decision, rows, refused)
        context = {
            "title": decision.words,
            "decision": decision,
            "asked": self.ask(rows, decision, options),
            "form": form,
            "back": address(rows[0]) if len(rows) == 1 else self._list_address(),
        }
        return self._page(request, "decide", context)

    def _rows(self, request: HttpRequest, decision: Decision) -> list[Any]:
        pks = {int(pk) for pk in request.GET.getlist("pk") if pk.isascii() and pk.isdigit() and len(pk) < 19}
        mine: QuerySet[Any] = access.scope(
            self.model._default_manager.all(), request.user, path=self.tenant_path, capability=decision.capability
        )
        rows = list(mine.filter(pk__in=pks).select_related("tenant").order_by("pk")[: MOST + 1])
        if not rows or len(rows) > MOST or len(rows) != len(pks):
            raise Http404
        return rows

    def _answer(
        self, request: HttpRequest, decision: Decision, rows: Sequence[Any], refused: Sequence[tuple[Any, str]]
    ) -> HttpResponse:
        done = len(rows) - len(refused)
        if done:
            messages.success(request, f"{done:,} {decision.done}.")
        if not refused:
            return HttpResponseRedirect(self._list_address() if len(rows) > 1 else address(rows[0]))
        told = [(address(row), str(row), why) for row, why in refused]
        context = {"title": f"Not {decision.done}", "refused": told, "done": done, "back": self._list_address()}
        return self._page(request, "decided", context)

    def _page(self, request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, **context}
        return TemplateResponse(request, f"admin/syncjobs/{name}.html", context)

    def _list_address(self) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")


def _ask_about_ticked(modeladmin: DecidingAdmin, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
    """Go on to the page that asks; its address names the rows, so that reloading it is harmless."""
    pks = list(queryset.order_by("pk").values_list("pk", flat=True)[: MOST + 1])
    if len(pks) > MOST:
        messages.error(request, f"Tick at most {MOST} rows at once.")
        return HttpResponseRedirect(request.get_full_path())
    return HttpResponseRedirect(modeladmin.decide_address(request.POST["action"], pks))
