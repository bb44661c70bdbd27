"""A stand-in for Epicor Kinetic's REST v2: state, rules and the WSGI application that serves them."""

from __future__ import annotations

from connector.sandbox.epicor import (
    attachments,
    group_methods,
    invoice_entry,
    invoice_lines,
    invoice_posting,
    invoice_update,
    invoice_update_ext,
    payment_entry,
    payment_posting,
    payment_update,
    reads,
    receipt_billing,
    void_payments,
)
from connector.sandbox.epicor.app import make_app
from connector.sandbox.epicor.options import EpicorOptions
from connector.sandbox.epicor.state import EpicorState

#: The modules whose import registers the methods that are served.
BUSINESS_OBJECTS = (
    attachments,
    group_methods,
    invoice_entry,
    invoice_lines,
    invoice_posting,
    invoice_update,
    invoice_update_ext,
    payment_entry,
    payment_posting,
    payment_update,
    reads,
    receipt_billing,
    void_payments,
)

__all__ = ["BUSINESS_OBJECTS", "EpicorOptions", "EpicorState", "make_app"]
