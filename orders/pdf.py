"""Draws the invoice. A4, in the order's language; the fonts are embedded (orders/fonts/)."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, cast

from django.conf import settings
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext, pgettext_lazy
from fpdf import FPDF

from orders.models import Order, OrderLine
from shop.money import Money

FONTS: Final = Path(__file__).parent / "fonts"
INVOICE: Final = pgettext_lazy("a document", "Invoice")  # it is a way to pay as well
LATIN: Final = "latin"
TAIWAN: Final = "taiwan"
JAPAN: Final = "japan"
"""Many characters are drawn differently in Taipei and in Tokyo, under one code."""

INK: Final = (20, 34, 43)
SOFT: Final = (81, 97, 106)
HAIRLINE: Final = (221, 215, 202)
GREEN: Final = (15, 76, 74)

# All lengths are millimetres, but those of type, which are points.
MARGIN: Final = 22
BODY: Final = 10
LEADING: Final = 5.2
COLUMNS: Final = (88, 18, 30, 30)
"""Name, quantity, price, total: the page's width between its margins."""


def draw_invoice(order: Order) -> bytes:
    """The same order gives the same bytes, whoever draws it and when.

    So nothing in it depends on the order's status, and the date is the order's.
    """
    with translation.override(order.language):
        page = InvoicePage(order)
        page.draw()
        return bytes(page.output())


class InvoicePage(FPDF):
    def __init__(self, order: Order) -> None:
        super().__init__(format="A4")
        self.order = order
        self.set_margins(MARGIN, MARGIN)
        self.c_margin = 0
        self.set_auto_page_break(True, margin=28)
        self.set_creation_date(order.placed_at)
        self.set_title(f"{INVOICE} {order.number}")
        self.set_author(settings.SHOP_SELLER[0])
        self.set_lang(order.language)
        self._load_fonts()

    def _load_fonts(self) -> None:
        self.add_font(LATIN, "", FONTS / "NotoSansCJKKR-Regular.otf")
        self.add_font(LATIN, "B", FONTS / "NotoSansCJKKR-Bold.otf")
        self.add_font(TAIWAN, "", FONTS / "NotoSansCJKTC-Regular.otf")
        self.add_font(JAPAN, "", FONTS / "NotoSansCJKJP-Regular.otf")
        japanese = self.order.language == "ja" or self.order.country == "JP"
        faces = [JAPAN, TAIWAN] if japanese else [TAIWAN, JAPAN]
        self.set_fallback_fonts(faces, exact_match=False)
        self.known = {
            code for font in self.fonts.values() for code in getattr(font, "cmap", {})
        } | {ord("\n")}

    def write_text(
        self, text: object, *, size: float = BODY, colour: Any = INK, bold: bool = False
    ) -> str:
        """Set the pen, and return the text as these fonts can write it."""
        self.set_font(LATIN, "B" if bold else "", size)
        # fpdf 2.8.9 forgets that a text in colour restores the font of before, if it began with
        # a fallback font: the next one would be set in whatever size that was.
        self.current_font_is_set_on_page = False
        self.set_text_color(*colour)
        return "".join(char if ord(char) in self.known else "?" for char in str(text))

    def header(self) -> None:
        order = self.order
        self.set_xy(MARGIN, MARGIN)
        self.cell(text=self.write_text("Anyport", size=20, colour=GREEN))
        self.set_xy(MARGIN, MARGIN)
        seller = self.write_text("\n".join(settings.SHOP_SELLER), size=8.5, colour=SOFT)
        self.multi_cell(self.epw, 4.4, seller, align="R", new_x="LMARGIN", new_y="NEXT")
        if self.page_no() > 1:
            self.cell(text=self.write_text(order.number, size=8.5, colour=SOFT))
            self.ln(10)

    def footer(self) -> None:
        self.set_y(-18)
        self._rule()
        self.ln(2)
        # The total is known at the end only: fpdf puts it in place of this.
        text = f"{self.order.number} · {self.page_no()} / {self.str_alias_nb_pages}"
        self.cell(text=self.write_text(text, size=8.5, colour=SOFT))

    def draw(self) -> None:
        self.add_page()
        self.ln(12)
        self.cell(text=self.write_text(INVOICE, size=26), new_x="LMARGIN", new_y="NEXT")
        self.ln(6)
        self._facts()
        self.ln(8)
        self._table_head()
        for line in self.order.lines.select_related("order"):
            self._line(line)
        self._sums()
        if self.order.payment_method == Order.Payment.INVOICE:
            self._how_to_pay()

    def _facts(self) -> None:
        """Two columns: whom it is for, and what it is."""
        order = self.order
        top = self.get_y()
        self._block(_("Billed and sent to"), order.address_lines)
        below = self.get_y()
        self.set_y(top)
        middle = MARGIN + self.epw / 2
        facts = [
            (_("Invoice number"), order.number),
            (_("Date"), date_format(order.placed_at, "DATE_FORMAT")),
            (_("Payment"), order.get_payment_method_display()),
        ]
        for label, value in facts:
            self._block(label, [value], left=middle)
            self.ln(2.5)
        self.set_y(max(below, self.get_y()))

    def _block(
        self, label: str, lines: Iterable[str], *, left: float = MARGIN, wide: bool = False
    ) -> None:
        width = self.epw if wide else self.epw / 2 - 4
        self.set_x(left)
        self.cell(width, LEADING, self.write_text(label, size=8.5, colour=SOFT), new_y="NEXT")
        for line in lines:
            self.set_x(left)
            self.multi_cell(width, LEADING, self.write_text(line), align="L", new_y="NEXT")

    def _table_head(self) -> None:
        titles = (_("Item"), _("Quantity"), _("Price"), _("Total"))
        for width, title, align in zip(COLUMNS, titles, "LRRR", strict=True):
            self.cell(width, 6, self.write_text(title, size=8.5, colour=SOFT), align=align)
        self.ln(7)
        self._rule()

    def _line(self, line: OrderLine) -> None:
        """One row. It is not broken over two pages."""
        name = self.write_text(line.name)
        height = self.multi_cell(COLUMNS[0], LEADING, name, dry_run=True, output="HEIGHT")
        if self.will_page_break(cast(float, height) + LEADING + 5):
            self.add_page()
            self._table_head()
        self.ln(2.5)
        top = self.get_y()
        self.set_x(MARGIN + COLUMNS[0])
        for width, value in zip(COLUMNS[1:], (line.quantity, line.price, line.total), strict=True):
            self.cell(width, LEADING, self.write_text(value), align="R")
        self.set_xy(MARGIN, top)
        self.multi_cell(COLUMNS[0], LEADING, self.write_text(line.name), align="L", new_y="NEXT")
        self.set_x(MARGIN)
        details = " · ".join(part for part in (line.option_text, line.sku) if part)
        small = self.write_text(details, size=8.5, colour=SOFT)
        self.multi_cell(COLUMNS[0], LEADING - 0.6, small, align="L", new_y="NEXT")
        self.ln(2.5)
        self._rule()

    def _sums(self) -> None:
        order = self.order
        free = Money(0, order.currency)
        self.ln(3)
        if self.will_page_break(4 * LEADING + 10):
            self.add_page()
        self._sum(_("Subtotal"), order.subtotal)
        delivery = order.delivery if order.delivery != free else _("Free")
        self._sum(order.get_delivery_method_display(), delivery)
        self.ln(1.5)
        self._sum(_("Total"), order.total, size=14)

    def _sum(self, label: str, value: object, *, size: float = BODY) -> None:
        height = LEADING * size / BODY + 1
        self.set_x(MARGIN + COLUMNS[0])
        self.cell(sum(COLUMNS[1:3]), height, self.write_text(label, size=size))
        text = self.write_text(value, size=size, bold=size > BODY)
        self.cell(COLUMNS[3], height, text, align="R", new_x="LMARGIN", new_y="NEXT")

    def _how_to_pay(self) -> None:
        order = self.order
        self.ln(10)
        if self.will_page_break(7 * LEADING):
            self.add_page()
        self._block(pgettext("a payment", "To"), [settings.SHOP_BANK_ACCOUNT], wide=True)
        self.ln(2.5)
        self._block(_("Reference"), [order.number])
        if order.expires_at:
            self.ln(2.5)
            until = date_format(order.expires_at, "DATE_FORMAT")
            self._block(_("Please pay by"), [until])

    def _rule(self) -> None:
        self.set_draw_color(*HAIRLINE)
        self.set_line_width(0.2)
        self.line(MARGIN, self.get_y(), MARGIN + self.epw, self.get_y())
