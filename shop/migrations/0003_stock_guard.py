"""Whoever changes stock must write its ledger's row: what does not is refused.

Run it when no instance of a release without the ledger serves any more (see 0002).
"""

from django.db import migrations

RECORDER = """
CREATE TRIGGER stock_of_former_releases BEFORE INSERT OR UPDATE ON shop_stockitem
    FOR EACH ROW EXECUTE FUNCTION shop_stock_record();
"""


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_stock_ledger")]

    operations = [
        migrations.RunSQL("DROP TRIGGER stock_of_former_releases ON shop_stockitem", RECORDER),
    ]
