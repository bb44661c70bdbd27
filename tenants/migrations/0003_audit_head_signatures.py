"""Room for several signatures of a trail's head: one for each key that the site has while keys are rotated."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenants", "0002_audit_append_only")]

    operations = [
        migrations.AlterField(model_name="audithead", name="signature", field=models.TextField(default="")),
    ]
