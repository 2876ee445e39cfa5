"""``easel prune``.

Remove the records of jobs that have lived long enough, as a running bot does by itself.
"""

import asyncio
from datetime import UTC, datetime

import click

from bot import settings
from core.i18n import translate
from core.storage import database
from core.storage.retention import RECORDS_LIFE, Retention


def run(*, dry_run: bool) -> int:
    """Say how many there were. Raises ConfigurationError for a database that cannot be used."""
    chosen = settings.load()
    chosen.data_dir.mkdir(parents=True, exist_ok=True)
    count = asyncio.run(_prune(chosen.database, dry_run=dry_run))
    key = "terminal.would_prune" if dry_run else "terminal.pruned"
    click.echo(translate(key, chosen.locale, count=count, days=RECORDS_LIFE.days))
    return 0


async def _prune(url: str, *, dry_run: bool) -> int:
    await database.migrate(url)
    engine = database.open_async(url)
    retention = Retention(engine)
    before = datetime.now(UTC) - RECORDS_LIFE
    try:
        return await (retention.count(before) if dry_run else retention.prune(before))
    finally:
        await engine.dispose()
