"""Databases that are copied from one that was migrated: each test begins with a new one."""

import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from core.storage import database
from core.storage.database import TableSet

migrate = database._migrate


@dataclass(frozen=True, kw_only=True)
class Templates:
    """Migrated databases on SQLite, made when they are first needed."""

    folder: Path
    _files: dict[TableSet, Path] = field(default_factory=dict)

    def migrate(self, url: str, tables: TableSet, to: str) -> None:
        """Stand in for ``database._migrate``: where there is no file yet, begin with a copy."""
        if to == "head" and database.is_sqlite(url):
            path = Path(sa.make_url(url).database or "")
            # What cannot be written is for the program to say.
            with suppress(OSError):
                self._copy(tables, path)
        migrate(url, tables, to)

    def _copy(self, tables: TableSet, path: Path) -> None:
        if path.exists() or not path.parent.is_dir():
            return
        copy = Path(tempfile.mkdtemp(dir=self.folder)) / path.name
        shutil.copy(self._template(tables), copy)
        # Of several at once only the first succeeds.
        os.link(copy, path)

    def _template(self, tables: TableSet) -> Path:
        if tables not in self._files:
            path = Path(tempfile.mkdtemp(dir=self.folder)) / "template.db"
            migrate(f"sqlite:///{path}", tables, "head")
            self._files[tables] = path
        return self._files[tables]
