"""``easel prune``: removes what is not needed any more, as a running bot does by itself."""

import asyncio
from datetime import UTC, datetime

import click

from bot import settings
from bot.room_keys import room_references
from core.i18n import translate
from core.storage import database
from core.storage.blob_sweep import BlobSweep
from core.storage.blobs import open_blobs
from core.storage.retention import RECORDS_LIFE, Retention


def run(*, dry_run: bool) -> int:
    """Remove old records and unreferred pictures, or count them. Raises ConfigurationError."""
    config = settings.load()
    config.data_dir.mkdir(parents=True, exist_ok=True)
    records, blobs = asyncio.run(_prune(config, dry_run=dry_run))
    key = "terminal.would_prune" if dry_run else "terminal.pruned"
    days = RECORDS_LIFE.days
    click.echo(translate(key, config.locale, count=records, days=days))
    click.echo(translate("terminal.unreferred", config.locale, count=blobs))
    return 0


async def _prune(
    config: settings.Settings, *, dry_run: bool
) -> tuple[int, int]:
    """How many records, and how many pictures."""
    await database.migrate(config.database)
    engine = database.open_async(config.database)
    retention = Retention(engine)
    references = room_references(config.data_dir)
    blobs = BlobSweep(engine, open_blobs(config.blobs), references)
    now = datetime.now(UTC)
    prune = retention.count if dry_run else retention.prune
    try:
        records = await prune(now - RECORDS_LIFE)
        return records, await blobs.sweep(now, dry_run=dry_run)
    finally:
        await engine.dispose()
