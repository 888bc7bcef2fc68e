"""The ledger of stock, its opening balances, and the guard that keeps the two equal.

Instances of the former release may serve while this runs and afterwards: what they change is
written into the ledger for them. 0003 ends that. Stock is locked for the moment that this takes.
docs/decisions/0009-stock-ledger.md says why the guard is made like this.
"""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

ITEM_CHECK = """
CREATE FUNCTION shop_stock_item_check() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong record;
BEGIN
    -- The rows as they are when the transaction ends, not as this event left them. An item that
    -- is gone took its ledger along.
    SELECT item.on_hand, item.allocated, item.sequence, latest.* INTO wrong
    FROM shop_stockitem item
    LEFT JOIN LATERAL (
        SELECT on_hand_after, allocated_after, sequence AS last FROM shop_stockmovement
        WHERE stock_item_id = item.id ORDER BY sequence DESC LIMIT 1
    ) latest ON true
    WHERE item.id = NEW.id AND (item.on_hand, item.allocated, item.sequence) IS DISTINCT FROM (
        coalesce(on_hand_after, 0), coalesce(allocated_after, 0), coalesce(last, 0)
    );
    IF FOUND THEN
        RAISE EXCEPTION
            'stock item % has % on hand and % allocated (movement %), but its ledger % and % (movement %)',
            NEW.id, wrong.on_hand, wrong.allocated, wrong.sequence,
            coalesce(wrong.on_hand_after, 0), coalesce(wrong.allocated_after, 0),
            coalesce(wrong.last, 0)
            USING ERRCODE = 'check_violation', CONSTRAINT = 'stock_equals_ledger',
            HINT = 'Change stock through shop.services.stock, which writes both.';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER stock_equals_ledger AFTER INSERT ON shop_stockitem
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.on_hand <> 0 OR NEW.allocated <> 0 OR NEW.sequence <> 0)
    EXECUTE FUNCTION shop_stock_item_check();
CREATE CONSTRAINT TRIGGER stock_still_equals_ledger AFTER UPDATE ON shop_stockitem
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN ((OLD.on_hand, OLD.allocated, OLD.sequence)
        IS DISTINCT FROM (NEW.on_hand, NEW.allocated, NEW.sequence))
    EXECUTE FUNCTION shop_stock_item_check();
"""
MOVEMENT_CHECK = """
CREATE FUNCTION shop_stock_movement_check() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- It continues the row before it, and the item knows of it: then the item's own check holds
    -- the item against the last of them.
    PERFORM FROM shop_stockitem item
    LEFT JOIN shop_stockmovement former
        ON former.stock_item_id = item.id AND former.sequence = NEW.sequence - 1
    WHERE item.id = NEW.stock_item_id AND item.sequence >= NEW.sequence
        AND (NEW.sequence = 1 OR former.id IS NOT NULL)
        AND NEW.on_hand_after = coalesce(former.on_hand_after, 0) + NEW.on_hand_change
        AND NEW.allocated_after = coalesce(former.allocated_after, 0) + NEW.allocated_change;
    IF NOT FOUND AND EXISTS (SELECT FROM shop_stockitem WHERE id = NEW.stock_item_id) THEN
        RAISE EXCEPTION 'movement % of stock item % continues neither its ledger nor its units',
            NEW.sequence, NEW.stock_item_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'movement_continues',
            HINT = 'Change stock through shop.services.stock, which writes both.';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER movement_continues AFTER INSERT ON shop_stockmovement
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION shop_stock_movement_check();
"""
APPEND_ONLY = """
CREATE FUNCTION shop_stock_movement_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        -- A customer who is deleted leaves the ledger; the rest of the row stays.
        IF NEW.actor_id IS NULL AND to_jsonb(NEW) - 'actor_id' = to_jsonb(OLD) - 'actor_id' THEN
            RETURN NULL;
        END IF;
    ELSIF NOT EXISTS (SELECT FROM shop_stockitem WHERE id = OLD.stock_item_id) THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'movement % of stock item % cannot be changed: write another that sets it right',
        OLD.sequence, OLD.stock_item_id
        USING ERRCODE = 'check_violation', CONSTRAINT = 'movement_append_only';
END $$;
CREATE CONSTRAINT TRIGGER movement_append_only AFTER UPDATE OR DELETE ON shop_stockmovement
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION shop_stock_movement_keep();
"""
RECORD = """
CREATE FUNCTION shop_stock_record() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    on_hand_before integer := 0;
    allocated_before integer := 0;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.sequence <> OLD.sequence THEN
            RETURN NEW;  -- this release: it writes the row itself
        END IF;
        on_hand_before := OLD.on_hand;
        allocated_before := OLD.allocated;
    ELSIF NEW.sequence <> 0 THEN
        RETURN NEW;
    END IF;
    IF (NEW.on_hand, NEW.allocated) IS DISTINCT FROM (on_hand_before, allocated_before) THEN
        NEW.sequence := NEW.sequence + 1;
        INSERT INTO shop_stockmovement (
            stock_item_id, sequence, kind, on_hand_change, allocated_change, on_hand_after,
            allocated_after, mover, reason, order_number, created_at
        ) VALUES (
            NEW.id, NEW.sequence, 'adjusted', NEW.on_hand - on_hand_before,
            NEW.allocated - allocated_before, NEW.on_hand, NEW.allocated, 'system',
            'former release', '', clock_timestamp()
        );
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER stock_of_former_releases BEFORE INSERT OR UPDATE ON shop_stockitem
    FOR EACH ROW EXECUTE FUNCTION shop_stock_record();
"""
BACKFILL = """
INSERT INTO shop_stockmovement (
    stock_item_id, sequence, kind, on_hand_change, allocated_change, on_hand_after,
    allocated_after, mover, reason, order_number, created_at
)
SELECT id, 1, 'adjusted', on_hand, allocated, on_hand, allocated, 'system', 'opening balance', '',
    clock_timestamp()
FROM shop_stockitem WHERE on_hand <> 0 OR allocated <> 0;
UPDATE shop_stockitem SET sequence = 1 WHERE on_hand <> 0 OR allocated <> 0;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("shop", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="StockMovement",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("sequence", models.PositiveBigIntegerField(verbose_name="movement")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("received", "Received"),
                            ("allocated", "Allocated"),
                            ("released", "Released"),
                            ("shipped", "Shipped"),
                            ("adjusted", "Adjusted"),
                        ],
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                ("on_hand_change", models.IntegerField(verbose_name="change on hand")),
                ("allocated_change", models.IntegerField(verbose_name="change allocated")),
                ("on_hand_after", models.PositiveIntegerField(verbose_name="on hand afterwards")),
                (
                    "allocated_after",
                    models.PositiveIntegerField(verbose_name="allocated afterwards"),
                ),
                (
                    "mover",
                    models.CharField(
                        choices=[("shopper", "Shopper"), ("staff", "Staff"), ("system", "System")],
                        max_length=10,
                        verbose_name="moved by",
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=200, verbose_name="reason")),
                ("order_number", models.CharField(blank=True, max_length=20, verbose_name="order")),
                ("key", models.UUIDField(editable=False, null=True, verbose_name="form")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="at"
                    ),
                ),
                (
                    "actor",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="by",
                    ),
                ),
                (
                    "stock_item",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="movements",
                        to="shop.stockitem",
                        verbose_name="stock item",
                    ),
                ),
            ],
            options={
                "verbose_name": "stock movement",
                "verbose_name_plural": "stock movements",
                "ordering": ("-pk",),
            },
        ),
        migrations.RemoveConstraint(
            model_name="stockitem",
            name="stock_never_negative",
        ),
        migrations.AddField(
            model_name="stockitem",
            name="back_order",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Shoppers may order more than is here; they are told that it is sent later.",
                verbose_name="sold on back-order",
            ),
        ),
        migrations.AddField(
            model_name="stockitem",
            name="sequence",
            field=models.PositiveBigIntegerField(
                db_default=0, default=0, editable=False, verbose_name="movements"
            ),
        ),
        migrations.AddConstraint(
            model_name="stockitem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("on_hand__gte", models.F("allocated")), ("back_order", True), _connector="OR"
                ),
                name="stock_never_negative",
            ),
        ),
        migrations.AddIndex(
            model_name="stockmovement",
            index=models.Index(
                condition=models.Q(("order_number", ""), _negated=True),
                fields=["order_number"],
                name="movement_of_order",
            ),
        ),
        migrations.AddConstraint(
            model_name="stockmovement",
            constraint=models.UniqueConstraint(
                fields=("stock_item", "sequence"), name="movement_in_sequence"
            ),
        ),
        migrations.AddConstraint(
            model_name="stockmovement",
            constraint=models.UniqueConstraint(
                condition=models.Q(("key__isnull", False)),
                fields=("key",),
                name="movement_form_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="stockmovement",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("allocated_change", 0), ("kind", "received"), ("on_hand_change__gt", 0)
                    ),
                    models.Q(
                        ("allocated_change__gt", 0), ("kind", "allocated"), ("on_hand_change", 0)
                    ),
                    models.Q(
                        ("allocated_change__lt", 0), ("kind", "released"), ("on_hand_change", 0)
                    ),
                    models.Q(
                        ("allocated_change", models.F("on_hand_change")),
                        ("kind", "shipped"),
                        ("on_hand_change__lt", 0),
                    ),
                    models.Q(
                        ("kind", "adjusted"),
                        models.Q(("allocated_change", 0), ("on_hand_change", 0), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="movement_moves_what_its_kind_says",
            ),
        ),
        migrations.RunSQL(BACKFILL, migrations.RunSQL.noop),
        migrations.RunSQL(
            ITEM_CHECK + MOVEMENT_CHECK + APPEND_ONLY + RECORD,
            """
            DROP TRIGGER stock_of_former_releases ON shop_stockitem;
            DROP TRIGGER stock_still_equals_ledger ON shop_stockitem;
            DROP TRIGGER stock_equals_ledger ON shop_stockitem;
            DROP TRIGGER movement_append_only ON shop_stockmovement;
            DROP TRIGGER movement_continues ON shop_stockmovement;
            DROP FUNCTION shop_stock_record, shop_stock_movement_keep, shop_stock_movement_check,
                shop_stock_item_check;
            """,
        ),
    ]
