"""The embedded PostgreSQL: closed to others, kept between runs, and a database of somebody else is never emptied."""

from __future__ import annotations

import os
import shutil
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import postgres
import processes
import psycopg
import pytest
from databases import create_database, empty_database, free_port, is_free
from environment import MissingPiece
from postgres import Postgres
from processes import Processes


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for clusters that the account which runs them can reach."""
    monkeypatch.setattr(processes, "LOGS", tmp_path / "logs")
    if os.geteuid() != 0:
        monkeypatch.setattr(postgres, "folder", lambda: tmp_path)
        yield tmp_path
        return
    monkeypatch.setattr(postgres, "ROOT", tmp_path)  # a folder of its own under /var/tmp
    yield postgres.folder()
    left = {path.name for path in postgres.folder().iterdir()}
    shutil.rmtree(postgres.folder())
    assert left <= {"programs"}  # a copy for a checkout that the account may not enter


def test_a_cluster_is_closed_kept_and_removed(base: Path) -> None:
    with Processes() as group:
        url = create_database(Postgres(group, name="one", durable=True).start(), "site")
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept (word text)")
            connection.execute("INSERT INTO kept VALUES ('Ärger')")
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(url, password="wrong")
    assert stat.S_IMODE((base / "one").stat().st_mode) == 0o700
    assert stat.S_IMODE((base / "one.password").stat().st_mode) == 0o600

    with Processes() as group:
        again = Postgres(group, name="one", durable=True)
        group.when_stopped(again.remove)
        with psycopg.connect(create_database(again.start(), "site")) as connection:
            assert connection.execute("SELECT upper(word) FROM kept").fetchall() == [("ÄRGER",)]
    assert not (base / "one").exists()
    assert not (base / "one.password").exists()


def test_only_an_empty_database_or_the_demos_own_is_emptied(base: Path) -> None:
    with Processes() as group:
        cluster = Postgres(group, name="two", durable=False)
        group.when_stopped(cluster.remove)
        url = cluster.start()
        mine, theirs = create_database(url, "mine"), create_database(url, "theirs")
        for database in (mine, theirs):
            with psycopg.connect(database) as connection:
                connection.execute("CREATE SCHEMA IF NOT EXISTS public")
        empty_database(mine)
        for database in (mine, theirs):
            with psycopg.connect(database) as connection:
                connection.execute("CREATE TABLE ledger (amount numeric)")
        empty_database(mine)
        with psycopg.connect(mine) as connection:
            assert connection.execute("SELECT to_regclass('public.ledger')").fetchone() == (None,)
        with pytest.raises(MissingPiece, match="holds 1 tables that bin/demo did not make; give an empty one"):
            empty_database(theirs)
        with psycopg.connect(theirs) as connection:
            assert connection.execute("SELECT to_regclass('public.ledger')").fetchone() == ("ledger",)


def test_a_database_that_does_not_answer_is_one_sentence() -> None:
    with pytest.raises(MissingPiece, match=r"the database cannot be reached .*; check DATABASE_URL"):
        empty_database(f"postgres://nobody@127.0.0.1:{free_port()}/none")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's databases live outside the checkout")
def test_root_does_not_use_a_folder_of_somebody_else(base: Path) -> None:
    os.chown(base, 12345, 12345)
    with pytest.raises(MissingPiece, match="belongs to another account"):
        postgres.folder()
    os.chown(base, 0, 0)


def test_a_taken_port_is_seen() -> None:
    port = free_port()
    assert is_free(port)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        listener.listen()
        assert not is_free(port)
