"""Databases on a PostgreSQL that runs already, whoever started it; and the ports of this machine."""

from __future__ import annotations

import socket

import psycopg
import psycopg.sql
from environment import MissingPiece

#: Written as the comment of the schema, so that only a database that the demo made is ever emptied.
MARK = "made by bin/demo, which empties it at every start"


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Whether nobody listens on a TCP port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was just given up is free
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def create_database(url: str, name: str) -> str:
    """Create a database if it is not there, and return its DATABASE_URL."""
    with psycopg.connect(f"{url}/postgres", autocommit=True) as connection:
        there = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
        if there is None:
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
    return f"{url}/{name}"


def empty_database(url: str) -> None:
    """Drop everything in a database that bin/demo made or that is empty, and mark it as the demo's.

    Raises ``MissingPiece`` if it holds tables of somebody else, or cannot be reached.
    """
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
            tables, mark = connection.execute(
                "SELECT (SELECT count(*) FROM pg_tables WHERE schemaname = 'public'),"
                " obj_description('public'::regnamespace, 'pg_namespace')"
            ).fetchone() or (0, None)
            if tables and mark != MARK:
                raise MissingPiece(
                    f"the database of DATABASE_URL holds {tables} tables that bin/demo did not make; give an empty one"
                )
            connection.execute("DROP SCHEMA IF EXISTS public CASCADE")
            connection.execute("CREATE SCHEMA public")
            connection.execute(psycopg.sql.SQL("COMMENT ON SCHEMA public IS {}").format(psycopg.sql.Literal(MARK)))
    except psycopg.OperationalError as fault:
        reason = str(fault).strip().splitlines()[0]
        raise MissingPiece(f"the database cannot be reached ({reason}); check DATABASE_URL") from fault
