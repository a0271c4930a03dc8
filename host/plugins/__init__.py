"""Finding, starting, stopping and upgrading plugins; pluggy's manager stops here."""
