"""A held invoice says which GL account it waits for, so that the approval of that account finds it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("syncjobs", "0002_run_triggers")]

    operations = [
        migrations.AddField(
            model_name="invoicelink",
            name="waits_for",
            field=models.CharField(
                blank=True, default="", help_text="The GL account whose mapping would release it.", max_length=200
            ),
        ),
    ]
