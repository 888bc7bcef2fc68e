"""What is to leave the database: what waits, what was given up and why, and sending it again."""

from typing import Any, Final

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, pgettext_lazy
from unfold.decorators import display

from orders.models import OutboxMessage
from orders.outbox import send_again
from shop.admin.base import ModelAdmin, ReadOnly, SimpleListFilter
from shop.outcomes import Ending, counted

WAITING, DONE, DEAD = "waiting", "done", "dead"
STATES: Final[dict[str, Promise]] = {
    WAITING: pgettext_lazy("a message", "Waiting"),
    DEAD: pgettext_lazy("a message", "Given up"),
    DONE: pgettext_lazy("a message", "Done"),
}
COLOURS: Final = {WAITING: "info", DEAD: "danger", DONE: "success"}
CONDITIONS: Final[dict[str, dict[str, bool]]] = {
    WAITING: {"done_at__isnull": True, "dead_at__isnull": True},
    DEAD: {"dead_at__isnull": False},
    DONE: {"done_at__isnull": False},
}


class StateFilter(SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state, str(label)) for state, label in STATES.items()]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[OutboxMessage]
    ) -> QuerySet[OutboxMessage]:
        return queryset.filter(**CONDITIONS.get(self.value() or "", {}))


@admin.register(OutboxMessage)
class OutboxMessageAdmin(ReadOnly, ModelAdmin[OutboxMessage]):
    list_display = ("key", "state", "attempts", "last_error", "created_at", "next_try")
    list_filter = (StateFilter,)
    ordering = ("-pk",)
    search_fields = ("stream", "key")
    show_full_result_count = False
    actions = ("send_again",)
    fields = readonly_fields = (
        "key",
        "stream",
        "kind",
        "state",
        "attempts",
        "error",
        "payload",
        "created_at",
        "next_try",
        "done_at",
        "dead_at",
    )

    @display(description=_("state"), label=COLOURS)  # type: ignore[untyped-decorator]  # Unfold has no types
    def state(self, message: OutboxMessage) -> tuple[str, str]:
        state = DONE if message.done_at else DEAD if message.dead_at else WAITING
        return state, str(STATES[state])

    @admin.display(description=_("last error"))
    def last_error(self, message: OutboxMessage) -> str:
        return message.error[:120]

    @admin.display(description=_("next try"), ordering="next_try_at")
    def next_try(self, message: OutboxMessage) -> Any:
        return None if message.done_at or message.dead_at else message.next_try_at

    def has_resend_permission(self, request: HttpRequest) -> bool:
        """Of those who may change such rows, which no form lets anybody do."""
        return request.user.has_perm("orders.change_outboxmessage")

    @admin.action(permissions=["resend"], description=_("Send again what was given up"))
    def send_again(self, request: HttpRequest, queryset: QuerySet[OutboxMessage]) -> None:
        """A second click finds none that is given up."""
        chosen = OutboxMessage.objects.filter(pk__in=queryset.values("pk"))
        asked_for = f"send again {sorted(chosen.values_list('pk', flat=True))}"
        with counted(Ending(), asked_for) as ending:
            count = send_again(chosen)
            ending.outcome = "done" if count else "replayed"
        if not count:
            self.message_user(request, _("Nothing of these is given up."), messages.WARNING)
            return
        text = ngettext("%(count)d is sent again.", "%(count)d are sent again.", count)
        self.message_user(request, text % {"count": count}, messages.SUCCESS)
