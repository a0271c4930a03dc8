"""Login with accounts that the operator writes into the settings."""

from __future__ import annotations

from collections.abc import Sequence

from plugin_sdk import Argument, Column, CommandIO, Database, Plugin, Provider, command, migration

from .passwords import hashed
from .provider import StaticAccounts


class StaticAccountsPlugin(Plugin):
    @migration("001-tokens")
    def create_tables(self, db: Database) -> None:
        # Not context.data: whoever is signed in may read that.
        db.table("tokens").create(
            {
                "hash": "text",
                "account": Column("text", null=False),
                "password_mark": Column("text", null=False),
                "expires_at": Column("integer", null=False),
            },
            pk="hash",
        )
        db.table("tokens").create_index(["expires_at"])
        db.table("failures").create(
            {
                "account": "text",
                "count": Column("integer", null=False),
                "last_at": Column("integer", null=False),
            },
            pk="account",
        )

    def providers(self) -> Sequence[Provider]:
        return [Provider("auth", StaticAccounts.name, StaticAccounts(self.context))]

    @command("hash", Argument("password", "What to hash; asked for when missing", secret=True))
    def hash_password(self, io: CommandIO, password: str) -> None:
        """Prints the hash of a password, to be put into the settings."""
        io.print(hashed(password))


plugin = StaticAccountsPlugin
