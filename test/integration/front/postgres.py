"""A real PostgreSQL of the tests' own, in a folder of its own, on loopback and a Unix socket; it may be killed at will.

    with Postgres() as server:
        url = server.database()            # a fresh database, migrated
        url = server.database(migrated=False)
        server.stop(); server.start()      # the same port, the same data

In tests: the fixtures `postgres` (one server for the run) and `database` (a migrated database for each test, its URL).
"""

from __future__ import annotations

import hashlib
import itertools
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

ROOT = pathlib.Path(__file__).resolve().parents[3]
MIGRATIONS = ROOT / "migrations"
USER, PASSWORD = "arena", "of-the-tests"
TEMPLATE = "arena_template"
# Durability is not what these tests are about; a crash of the server (kill) loses nothing all the same.
SETTINGS = {
    "fsync": "off",
    "shared_buffers": "32MB",
    "max_connections": "200",
    "unix_socket_permissions": "0777",
    "timezone": "UTC",
    "log_statement": "none",
    "logging_collector": "off",
}


def find_program(name: str) -> str | None:
    """From the newest PostgreSQL of Debian's, else from PATH."""
    built = sorted(pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda p: int(p.parts[4]))
    return str(built[-1]) if built else shutil.which(name)


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def migration_files(last: int | None = None) -> list[pathlib.Path]:
    """In order; `last` ends with that number."""
    files = sorted(MIGRATIONS.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    return [f for f in files if last is None or int(f.name[:4]) <= last]


def as_server_user() -> list[str]:
    """PostgreSQL refuses to run as root: a prefix that makes it the user postgres."""
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] if os.geteuid() == 0 else []


class Postgres:
    def __init__(self, **settings: str) -> None:
        # Below /tmp itself: the user postgres has to reach it, and a socket's path is short.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="arena-pg-"))
        self.data = self.folder / "data"
        self.port = free_port()
        self.numbers = itertools.count(1)
        self.templated = False
        self.running = False
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        password = self.folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        self.run("initdb", "-D", str(self.data), "-U", USER, "--auth=scram-sha-256", f"--pwfile={password}")
        own = {"port": self.port, "unix_socket_directories": self.folder}
        with (self.data / "postgresql.conf").open("a") as f:
            f.writelines(f"{key} = '{value}'\n" for key, value in {**SETTINGS, **settings, **own}.items())
        self.start()

    def run(self, program: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        path = find_program(program)
        assert path, f"{program} is not here: install postgresql"
        command = [*as_server_user(), path, *arguments]
        environment = {**os.environ, "PGPASSWORD": PASSWORD, "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            command, cwd="/", env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
        )
        if check and done.returncode != 0:
            raise RuntimeError(f"{program}: {done.stdout}{done.stderr}{self.log()}")
        return done

    def log(self) -> str:
        file = self.folder / "log"
        return file.read_text(errors="replace") if file.exists() else ""

    # ---- its life ----

    def control(self, *arguments: str) -> list[str]:
        """The command line of pg_ctl, for whoever wants to run it (C tests)."""
        path = find_program("pg_ctl")
        assert path
        return [*as_server_user(), path, "-D", str(self.data), "-l", str(self.folder / "log"), "-s", "-w", *arguments]

    def start(self) -> None:
        # Output into a file: the server would keep a pipe open.
        done = subprocess.run(
            self.control("start"),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if done.returncode != 0:
            raise RuntimeError(f"PostgreSQL does not start: {self.log()}")
        self.running = True

    def stop(self, mode: str = "fast") -> None:
        """fast: connections are ended in order; immediate: as if it had crashed."""
        if self.running:
            self.run("pg_ctl", "-D", str(self.data), "-s", "-w", "-m", mode, "stop")
        self.running = False

    def restart(self, mode: str = "fast") -> None:
        self.stop(mode)
        self.start()

    def close(self) -> None:
        self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Postgres:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- its databases ----

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def socket_url(self, database: str = "postgres") -> str:
        return f"postgresql://{USER}:{PASSWORD}@/{database}?host={self.folder}&port={self.port}"

    def admin(self, statement: str) -> None:
        self.run(
            "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", str(self.folder), "-p", str(self.port), "-U", USER,
            "-d", "postgres", "-c", statement,
        )  # fmt: skip

    def database(self, migrated: bool = True) -> str:
        """A new database; its URL."""
        name = f"test_{next(self.numbers)}"
        if migrated and not self.templated:
            self.admin(f"CREATE DATABASE {TEMPLATE}")
            self.migrate(TEMPLATE)
            self.templated = True
        self.admin(f"CREATE DATABASE {name}" + (f" TEMPLATE {TEMPLATE}" if migrated else ""))
        return self.url(name)

    def migrate(self, database: str, last: int | None = None) -> None:
        """What `api-server migrate` does, without the program."""
        apply(self.url(database), last)

    def connect(self, url: str | None = None) -> psycopg.Connection[Any]:
        return connect(url or self.url())


def connect(url: str) -> psycopg.Connection[Any]:
    """Each statement is a transaction of its own; `with c.transaction():` makes larger ones."""
    import psycopg

    return psycopg.connect(url, autocommit=True)


def apply(url: str, last: int | None = None, after: int = 0) -> None:
    """Applies the migrations after `after` up to `last`, each in a transaction, recorded as the program does."""
    with connect(url) as c:
        c.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations (version int PRIMARY KEY, name text NOT NULL,"
            " sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        for file in migration_files(last):
            if int(file.name[:4]) <= after:
                continue
            text = file.read_bytes()
            with c.transaction():
                c.execute(text)
                c.execute(
                    "INSERT INTO schema_migrations (version, name, sha256) VALUES (%s, %s, %s)",
                    (int(file.name[:4]), file.name, hashlib.sha256(text).hexdigest()),
                )
