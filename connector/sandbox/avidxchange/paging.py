"""List replies: ``Items`` and ``Paging`` in its variants (contract 2.2 to 2.4), chosen by customer and path.

Variants: PageCount, Pages, only Links, and no Paging at all where everything fits on one page. ``pageSize`` is an
assumed name; a size above the maximum is cut in silence. Pages count from 1; a page after the last is empty.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import urlencode

from werkzeug.wrappers import Request, Response

from connector.sandbox.avidxchange.chance import happens, roll
from connector.sandbox.avidxchange.options import Options
from connector.sandbox.avidxchange.wire import Row, answer, gateway

SHAPES = ("PageCount", "Pages", "Links", "None")
FOREIGN_HOST = "https://elsewhere.invalid"


def page(
    rows: Sequence[Row], request: Request, options: Options, *, by: object, show: Callable[[Row], Row]
) -> Response:
    """Return the page of ``rows`` a request asks for, each row as ``show`` writes it; ``by`` chooses the shape.

    Raises ``RefusalError`` (400) for a page number or size that is no positive number.
    """
    number = _positive(request, "pageNumber", 1)
    size = min(_positive(request, "pageSize", options.page_max), options.page_max)
    start = (number - 1) * size
    items = [show(row) for row in rows[start : start + size]]
    body: Row = {"Items": items}
    if options.awkward and len(items) == 1 and happens(50, "single", by, request.path):
        body["Items"] = items[0]
    shape = SHAPES[roll("paging", by, request.path, sides=len(SHAPES))] if options.awkward else "PageCount"
    paging = _paging(request, shape, (number, size, len(items), len(rows)))
    if paging is not None:
        body["Paging"] = paging
    if options.foreign_next_link:
        link = {"Rel": "next", "Href": f"{FOREIGN_HOST}{request.path}?pageNumber={number + 1}"}
        body["Paging"] = {**body.get("Paging", {}), "Links": [link]}
    return answer(body)


def _paging(request: Request, shape: str, counts: tuple[int, int, int, int]) -> Row | None:
    number, size, here, total = counts
    pages = max(1, -(-total // size))
    if shape == "None" and total <= size:
        return None
    paging: Row = {"PageSize": size, "PageNumber": number, "PageItems": here, "TotalItems": total}
    if shape == "Links":
        paging["Links"] = [{"Rel": "first", "Href": _href(request, 1)}]
        if number < pages:
            paging["Links"].append({"Rel": "next", "Href": _href(request, number + 1)})
        return paging
    return {**paging, "Pages" if shape == "Pages" else "PageCount": pages}


def _href(request: Request, number: int) -> str:
    values = {**request.args.to_dict(), "pageNumber": str(number)}
    return f"{request.base_url}?{urlencode(values)}"


def _positive(request: Request, name: str, default: int) -> int:
    value = request.args.get(name)
    if value is None:
        return default
    if not (value.isascii() and value.isdecimal()) or int(value) < 1:
        raise gateway(400, f"{name} must be a positive number")
    return int(value)
