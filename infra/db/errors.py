"""What can go wrong with the database's schema.

SchemaError              root
├── DatabaseAwayError    no connection to the database
└── MigrationFailedError a migration was refused; nothing of it stays
"""


class SchemaError(Exception):
    """The schema cannot be read or brought up to date; the text says why and how to mend it."""


class DatabaseAwayError(SchemaError):
    """There is no connection to the database."""


class MigrationFailedError(SchemaError):
    """The database refused a migration."""
