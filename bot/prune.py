"""``easel prune``: removes records of finished jobs, as a running bot does by itself."""

import asyncio
from datetime import UTC, datetime

import click

from bot import settings
from core.i18n import translate
from core.storage import database
from core.storage.retention import RECORDS_LIFE, Retention


def run(*, dry_run: bool) -> int:
    """Remove old records, or only count them. Raises ConfigurationError."""
    config = settings.load()
    config.data_dir.mkdir(parents=True, exist_ok=True)
    count = asyncio.run(_prune(config.database, dry_run=dry_run))
    key = "terminal.would_prune" if dry_run else "terminal.pruned"
    click.echo(
        translate(key, config.locale, count=count, days=RECORDS_LIFE.days)
    )
    return 0


async def _prune(url: str, *, dry_run: bool) -> int:
    await database.migrate(url)
    engine = database.open_async(url)
    retention = Retention(engine)
    before = datetime.now(UTC) - RECORDS_LIFE
    try:
        if dry_run:
            return await retention.count(before)
        return await retention.prune(before)
    finally:
        await engine.dispose()
