"""Both stand-ins together: one seed, two servers, one ledger, one book of faults.

``Sandbox`` is what the command line starts and what tests use as a context manager. It is a judge: it behaves like the
contracts, awkward parts included, and shares no code with the clients it judges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from connector.sandbox import credentials
from connector.sandbox.avidxchange import AvidState
from connector.sandbox.avidxchange import make_app as make_avidxchange_app
from connector.sandbox.console import PREFIX, with_console
from connector.sandbox.epicor import EpicorOptions, EpicorState
from connector.sandbox.epicor import make_app as make_epicor_app
from connector.sandbox.epicor.ledger import ledger as epicor_ledger
from connector.sandbox.epicor.state import utc_now
from connector.sandbox.faults import FaultBook
from connector.sandbox.seed import Seed, build
from connector.sandbox.serving import Listener, WsgiApp


class Sandbox:
    """An Epicor and an AvidXchange that agree about the past.

    ``vendors`` and ``invoices`` size EPIC06; ``faults`` are rules for both systems; ``pace`` is seconds between the
    steps AvidXchange takes by itself; ``clock`` returns aware datetimes. ``data`` is what both start from, if it is
    not to be made by those sizes; it is written to. ``epicor_app`` and ``avidxchange_app`` are WSGI callables that also
    work without sockets.
    """

    def __init__(
        self,
        *,
        vendors: int = 300,
        invoices: int = 200,
        seed: int = 1,
        faults: Iterable[dict[str, Any]] = (),
        pace: float = 0,
        clock: Callable[[], datetime] = utc_now,
        host: str = "127.0.0.1",
        epicor_port: int = 0,
        avidxchange_port: int = 0,
        epicor_options: EpicorOptions | None = None,
        avidxchange_options: dict[str, Any] | None = None,
        data: Seed | None = None,
    ) -> None:
        data = data or build(vendors=vendors, invoices=invoices, seed=seed, today=clock().date())
        self.faults = FaultBook(faults)
        self.avidxchange = AvidState(data, pace=pace, clock=clock, **(avidxchange_options or {}))
        self.epicor = EpicorState(data, clock=clock, options=epicor_options)
        self.epicor_app = self._wrap(make_epicor_app(self.epicor), "epicor", self.epicor.expire_tokens)
        self.avidxchange_app = self._wrap(
            make_avidxchange_app(self.avidxchange), "avidxchange", self.avidxchange.expire_tokens
        )
        self._places = (host, epicor_port, avidxchange_port)
        self._listeners: list[Listener] = []
        self._lent = False

    def _wrap(self, app: WsgiApp, system: str, expire_tokens: Callable[[], None]) -> WsgiApp:
        faulty = self.faults.wrap(app, system, expire_tokens=expire_tokens)

        def chosen(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            own = environ.get("PATH_INFO", "").startswith(PREFIX)
            return (app if own else faulty)(environ, start_response)

        return with_console(chosen, book=self.faults, ledger=self.ledger)

    def start(self, open_already: tuple[Listener, Listener] | None = None) -> Self:
        """Listen on both ports; returns itself. Raises ``OSError`` if a port is taken.

        Listeners that are open already (Epicor's, AvidXchange's) are only lent: ``stop`` leaves them open.
        """
        if open_already:
            open_already[0].change(self.epicor_app)
            open_already[1].change(self.avidxchange_app)
            self._listeners, self._lent = list(open_already), True
            return self
        host, epicor_port, avidxchange_port = self._places
        self._listeners = [Listener(self.epicor_app, host=host, port=epicor_port)]
        try:
            self._listeners.append(Listener(self.avidxchange_app, host=host, port=avidxchange_port))
        except OSError:
            self.stop()
            raise
        for listener in self._listeners:
            listener.start()
        return self

    def stop(self) -> None:
        """Stop listening and close every connection."""
        for listener in self._listeners:
            if self._lent:
                listener.change(closed)
            else:
                listener.stop()
        self._listeners, self._lent = [], False

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def epicor_url(self) -> str:
        """Where Epicor listens, without the instance."""
        return self._listeners[0].url

    @property
    def avidxchange_url(self) -> str:
        """Where AvidXchange listens, without ``/v1``."""
        return self._listeners[1].url

    @property
    def epicor_base(self) -> str:
        """Epicor's address with the instance, as a tenant's base address has it."""
        return f"{self.epicor_url}/{credentials.EPICOR_INSTANCE}"

    def ledger(self) -> dict[str, Any]:
        """Return what both systems hold and how often each was called by HTTP method."""
        return {
            "epicor": epicor_ledger(self.epicor),
            "avidxchange": self.avidxchange.ledger(),
            "calls": {"epicor": dict(self.epicor.calls), "avidxchange": dict(self.avidxchange.calls)},
        }


def closed(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """What a lent listener serves when it was given back: nothing, as a port on which nobody listens."""
    raise ConnectionRefusedError(f"no sandbox serves {environ['PATH_INFO']}")
