"""Sending a shopper a mail once more."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.admin.forms import ResendForm
from orders.admin.pages import Page, Told
from orders.mails import mail_of, queue_again
from orders.models import Order, OutboxMessage, Refund, Return
from orders.services.gateway_calls import lock_order
from orders.services.refunds import TOO_LATE
from orders.services.status import was_not_paid_in_time
from shop.models import Customer


class ResendPage(Page):
    name = "resend"
    label = gettext_lazy("Send a mail again…")
    heading = gettext_lazy("Send a mail again")
    question = gettext_lazy("Send this mail once more?")
    answer = gettext_lazy("Yes, send it")
    is_open = True

    def form(self, data: Any = None) -> ResendForm:
        choices = [(f"{name}:{about}", label) for name, about, label in _mails(self.order)]
        return ResendForm(data, choices=choices)

    def summary(self, form: ResendForm) -> list[tuple[str, str]]:
        labels = dict(form.fields["mail"].choices)  # type: ignore[attr-defined]  # a ChoiceField
        return [
            (_("Mail"), labels[form.cleaned_data["mail"]]),
            (_("To"), self.order.email),
            (_("Language"), self.order.get_language_display()),
        ]

    @transaction.atomic
    def take(self, form: ResendForm, actor: Customer) -> Told:
        lock_order(self.order.pk)  # as for every mail of an order: one after the other
        template, _colon, about = form.cleaned_data["mail"].partition(":")
        context = {}
        if template == "refunded":
            context["amount"] = Refund.objects.get(pk=about).amount
        message = mail_of(self.order, template, about=about, **context)
        is_new = queue_again(message, key=form.cleaned_data["key"])
        text = _("The mail is on its way to %(email)s.") % {"email": self.order.email}
        return Told(text, again=not is_new)


def _mails(order: Order) -> Iterator[tuple[str, str, str]]:
    """Template, what it is about and a label, of each mail that was sent and is still true.

    From the facts and not from the outbox, which forgets what it sent after a month.
    """
    yield "confirmation", "", _("Confirmation")
    if order.history.filter(from_status=Order.Status.CANCELLED).exists():
        yield "confirmation", "reinstated", _("Confirmation that it stands again")
    yield from _dated_mails(order)
    if order.status == Order.Status.CANCELLED:
        yield "cancelled", "", _("Cancelled")
        if _was_sold_out(order):
            yield "stock_gone", "", _("Sold out before the money came")


def _dated_mails(order: Order) -> Iterator[tuple[str, str, str]]:
    for parcel in order.shipments.all():
        tracking = parcel.tracking or _("without tracking number")
        yield "shipped", str(parcel.pk), _labelled(_("Parcel sent"), tracking, parcel.shipped_at)
    done = Refund.objects.filter(payment__order=order, state=Refund.State.DONE)
    for refund in done.select_related("payment"):
        label = _labelled(_("Money back"), str(refund.money), refund.updated_at)
        yield "refunded", str(refund.pk), label
    for request in order.returns.exclude(state=Return.State.REQUESTED).exclude(at_door=True):
        when = request.settled_at or request.requested_at
        label = _labelled(_("Return settled"), request.get_state_display(), when)
        yield "return_settled", str(request.pk), label


def _was_sold_out(order: Order) -> bool:
    """Money that was taken and went back tells it for ever; money that was let go before it was
    taken, only the mail itself.
    """
    sent_back = Refund.objects.filter(payment__order=order, reason=TOO_LATE)
    if was_not_paid_in_time(order) and sent_back.exists():
        return True
    return OutboxMessage.objects.filter(key=mail_of(order, "stock_gone").key).exists()


def _labelled(what: str, which: str, when: datetime) -> str:
    return f"{what}: {which}, {date_format(timezone.localtime(when), 'j M Y H:i')}"
