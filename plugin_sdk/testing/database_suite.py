"""What every engine behind ``context.db`` promises, as tests."""

from __future__ import annotations

from plugin_sdk.testing.database_rows import RowTests
from plugin_sdk.testing.database_search import SearchTests
from plugin_sdk.testing.database_statements import StatementTests
from plugin_sdk.testing.database_tables import TableTests
from plugin_sdk.testing.database_transactions import TransactionTests

__all__ = ["DatabaseSuite"]


class DatabaseSuite(TableTests, RowTests, StatementTests, TransactionTests, SearchTests):
    """Subclass it beside your tests, and give the fixture::

        from plugin_sdk.testing.database_suite import DatabaseSuite

        class TestMyEngine(DatabaseSuite):
            @pytest.fixture
            def database(self, tmp_path):
                engine = MyEngine(tmp_path)
                yield engine.open("example.plugin")
                engine.close()

    Each test gets an empty database. Beside the sentences of `plugin_sdk.database` the suite
    fixes what a plugin may rely on whichever engine it meets:

    * Names are lower-case identifiers of at most 63 characters. A table that is not there reads
      as empty through the words of `Table`, and refuses writes.
    * A value must fit the type of its column: an integer column takes no text. As parameters go
      texts, numbers, booleans, bytes, None, and dict or list for a json column. U+0000, lone
      surrogates, integers beyond 64 bits and NaN are refused. The default of a json column is
      JSON text.
    * A statement that fails is undone alone, the transaction around it goes on; `insert_all`,
      `upsert_all` and `executemany` are one statement in this.
    * Of two result columns ``id`` the second is named ``id_2``.
    * ``iterate`` inside of a transaction shows the state in which it was called.
    * Search matches words by simple case folding: Ä is ä and Σ, σ, ς are one; ß is not ss, and
      accents count. Rows come in the order of the primary key unless told otherwise; without a
      word all rows match.
    """
