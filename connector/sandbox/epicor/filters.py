"""``$filter`` to a Python predicate: the server's rules, including the ones that trip clients.

Names are case-sensitive and must exist; text compares without regard to case; a literal of another type than the
column is refused, as Epicor refuses a date compared with SysRevID. Dates are compared as written, midnight to the
second, in the server's own time (epicor.md section 3).
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from odata_query import ast
from odata_query.exceptions import ODataException
from odata_query.grammar import ODataLexer, ODataParser

from connector.sandbox.epicor.errors import bad_query
from connector.sandbox.epicor.store import norm
from connector.sandbox.seed import Row

Predicate = Callable[[Row], bool]
Bounds = tuple[Any, Any]

_COMPARE: dict[type, Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_TEXT_CALLS: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "startswith": str.startswith,
    "endswith": str.endswith,
}
_EDM = {"": "Edm.String", "i": "Edm.Int32", "n": "Edm.Decimal", "b": "Edm.Boolean", "d": "Edm.DateTimeOffset"}


class Filter:
    """A parsed ``$filter`` over columns of known kinds."""

    def __init__(self, text: str, *, kinds: dict[str, str], type_name: str) -> None:
        """Raises a 400 refusal for a syntax error, an unknown name or operands of incompatible types."""
        self._kinds, self._type = kinds, type_name
        try:
            self._tree = ODataParser().parse(ODataLexer().tokenize(text))
        except ODataException as problem:
            raise bad_query(f"Syntax error in '{text}': {problem}") from None
        self.matches: Predicate = self._compile(self._tree)

    def bounds(self, column: str) -> Bounds:
        """Return the smallest interval [low, high] of a column that every match lies in; None leaves a side open."""
        return self._bounds(self._tree, column)

    def _bounds(self, node: Any, column: str) -> Bounds:
        if isinstance(node, ast.BoolOp):
            left, right = self._bounds(node.left, column), self._bounds(node.right, column)
            return _both(left, right) if isinstance(node.op, ast.And) else _either(left, right)
        if isinstance(node, ast.Compare) and isinstance(node.left, ast.Identifier) and node.left.name == column:
            return _interval(type(node.comparator), self._literal(node.right, column))
        return None, None

    def _compile(self, node: Any) -> Predicate:
        if isinstance(node, ast.BoolOp):
            left, right = self._compile(node.left), self._compile(node.right)
            if isinstance(node.op, ast.And):
                return lambda row: left(row) and right(row)
            return lambda row: left(row) or right(row)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inner = self._compile(node.operand)
            return lambda row: not inner(row)
        if isinstance(node, ast.Compare):
            return self._comparison(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.Identifier) and self._kind(node.name) == "b":
            name = node.name
            return lambda row: bool(row[name])
        raise bad_query("The $filter expression must evaluate to a single boolean value.")

    def _comparison(self, node: ast.Compare) -> Predicate:
        if not isinstance(node.left, ast.Identifier):
            raise bad_query("Only a property may stand on the left of a comparison.")
        name = node.left.name
        self._kind(name)
        if isinstance(node.comparator, ast.In) and isinstance(node.right, ast.List):
            wanted = {self._literal(item, name) for item in node.right.val}
            return lambda row: norm(row[name]) in wanted
        compare = _COMPARE[type(node.comparator)]
        value = self._literal(node.right, name)
        if compare in (operator.eq, operator.ne):
            return lambda row: compare(norm(row[name]), value)
        return lambda row: row[name] is not None and value is not None and compare(norm(row[name]), value)

    def _call(self, node: ast.Call) -> Predicate:
        function = _TEXT_CALLS.get(node.func.name)
        if function is None:
            raise bad_query(f"An unknown function with name '{node.func.name}' was found.")
        column, part = node.args
        if not isinstance(column, ast.Identifier) or self._kind(column.name) or not isinstance(part, ast.String):
            raise bad_query(f"No function signature for the function with name '{node.func.name}' matches.")
        name, text = column.name, part.val.casefold()
        return lambda row: function((row[name] or "").casefold(), text)

    def _kind(self, name: str) -> str:
        try:
            return self._kinds[name]
        except KeyError:
            raise bad_query(f"Could not find a property named '{name}' on type '{self._type}'.") from None

    def _literal(self, node: Any, column: str) -> Any:
        kind = self._kind(column)
        if isinstance(node, ast.Null):
            return None
        if isinstance(node, ast.String) and kind == "":
            return node.val.casefold()
        if isinstance(node, ast.Boolean) and kind == "b":
            return node.val.lower() == "true"
        if isinstance(node, ast.Integer | ast.Float) and kind in {"i", "n"}:
            return Decimal(node.val) if kind == "n" or isinstance(node, ast.Float) else int(node.val)
        if isinstance(node, ast.Date | ast.DateTime) and kind == "d":
            return _written(node.val)
        found = type(node).__name__.replace("DateTime", "DateTimeOffset").replace("Integer", "Int32")
        raise bad_query(
            "A binary operator with incompatible types was detected. Found operand types "
            f"'{_EDM[kind]}' and 'Edm.{found}' for operator kind 'Equal'."
        )


def _written(text: str) -> str:
    """Return a date literal as the rows write dates: no zone, seconds."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment.isoformat(timespec="microseconds" if moment.microsecond else "seconds").casefold()


def _interval(comparator: type, value: Any) -> Bounds:
    if value is None:
        return None, None
    if comparator is ast.Eq:
        return value, value
    if comparator in (ast.Gt, ast.GtE):
        return value, None
    return (None, value) if comparator in (ast.Lt, ast.LtE) else (None, None)


def _both(left: Bounds, right: Bounds) -> Bounds:
    lows = [side for side in (left[0], right[0]) if side is not None]
    highs = [side for side in (left[1], right[1]) if side is not None]
    return max(lows, default=None), min(highs, default=None)


def _either(left: Bounds, right: Bounds) -> Bounds:
    low = None if left[0] is None or right[0] is None else min(left[0], right[0])
    high = None if left[1] is None or right[1] is None else max(left[1], right[1])
    return low, high
