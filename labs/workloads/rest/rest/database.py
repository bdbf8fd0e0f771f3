"""The shop's database: each call is a connection of its own, so that one request can be traced."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg2  # type: ignore[import-untyped]
from psycopg2.extras import RealDictCursor  # type: ignore[import-untyped]

PATIENCE = 3
"""How long the database may take to accept a connection, and to acknowledge what it was sent, in seconds."""

VISIT = """
    INSERT INTO visits (nonce) VALUES (%s)
    RETURNING host(server) AS server, host(client) AS client, inet_client_port() AS "clientPort",
              id AS visit, nonce
"""
ORDERS = "SELECT id, item, quantity FROM orders ORDER BY id"


class Unreachable(Exception):
    """The database did not do as asked; the message is one line."""


@dataclass(frozen=True)
class Database:
    """Where the database is and who asks it."""

    host: str
    name: str
    user: str
    password: str

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> Database:
        """As DATABASE_HOST, _NAME, _USER and _PASSWORD say; raises KeyError when one is missing."""
        return cls(*(environment[f"DATABASE_{part}"] for part in ("HOST", "NAME", "USER", "PASSWORD")))

    def visit(self, nonce: str | None) -> dict[str, Any]:
        """Writes a visit and reads the orders in one transaction; raises Unreachable.

        ``database`` of the answer is what the database saw of this connection.
        """
        try:
            with closing(self._connect()) as connection, connection, connection.cursor() as cursor:
                cursor.execute(VISIT, (nonce,))
                seen: dict[str, Any] = cursor.fetchone()
                cursor.execute(ORDERS)
                orders: list[dict[str, Any]] = cursor.fetchall()
        except psycopg2.Error as error:
            raise Unreachable(" ".join(str(error).split())) from error
        return {"orders": orders, "database": seen}

    def _connect(self) -> Any:
        return psycopg2.connect(
            host=self.host,
            dbname=self.name,
            user=self.user,
            password=self.password,
            connect_timeout=PATIENCE,
            tcp_user_timeout=PATIENCE * 1000,
            sslmode="disable",
            cursor_factory=RealDictCursor,
            application_name="rest",
        )
