"""Refuse UPDATE, DELETE and TRUNCATE of the audit trail in the database itself.

Whoever may alter tables can still disable a trigger; the hash chain (tenants/audit.py) shows what was done then.
"""

from django.db import migrations

INSTALL = """
CREATE FUNCTION tenants_audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only: % refused', TG_OP USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER tenants_auditevent_rows BEFORE UPDATE OR DELETE ON tenants_auditevent
    FOR EACH ROW EXECUTE FUNCTION tenants_audit_append_only();
CREATE TRIGGER tenants_auditevent_table BEFORE TRUNCATE ON tenants_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION tenants_audit_append_only();
"""

REMOVE = """
DROP TRIGGER tenants_auditevent_table ON tenants_auditevent;
DROP TRIGGER tenants_auditevent_rows ON tenants_auditevent;
DROP FUNCTION tenants_audit_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [("tenants", "0001_initial")]

    operations = [migrations.RunSQL(INSTALL, REMOVE)]
