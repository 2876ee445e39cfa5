"""``easel prune``: removes what is not needed any more, as a running bot does by itself."""

import asyncio
from dataclasses import dataclass

import click

from bot import settings
from bot.people import OpenData, open_data
from bot.room_references import room_references
from core.i18n import translate
from core.pruning import limit_of, prune_history
from core.storage.blob_sweep import BlobSweep
from core.storage.history_life import HistoryLife
from core.storage.retention import RECORDS_LIFE, REPLY_LIFE, Retention


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How much was removed, or would be: requests, records of jobs, stored pictures."""

    requests: int
    records: int
    blobs: int


def run(*, dry_run: bool) -> int:
    """Remove what is old or unreferred, or count it. Raises ConfigurationError."""
    config = settings.load()
    counts = asyncio.run(_prune(config, dry_run=dry_run))
    locale = config.locale
    days = config.keep_days
    if days:
        key = "terminal.would_prune_requests"
        if not dry_run:
            key = "terminal.pruned_requests"
        click.echo(translate(key, locale, count=counts.requests, days=days))
    key = "terminal.would_prune" if dry_run else "terminal.pruned"
    life = RECORDS_LIFE.days
    click.echo(translate(key, locale, count=counts.records, days=life))
    click.echo(translate("terminal.unreferred", locale, count=counts.blobs))
    return 0


async def _prune(config: settings.Settings, *, dry_run: bool) -> Counts:
    async with open_data(config, with_platforms=False) as opened:
        requests = await _prune_requests(opened, config, dry_run=dry_run)
        retention = Retention(opened.engine)
        now = opened.context.clock.now()
        prune = retention.count if dry_run else retention.prune
        records = await prune(now - RECORDS_LIFE)
        if not dry_run:
            await retention.prune_replies(now - REPLY_LIFE)
        references = room_references(config.data_dir)
        sweep = BlobSweep(opened.engine, opened.context.blobs, references)
        blobs = await sweep.sweep(now, dry_run=dry_run)
        return Counts(requests=requests, records=records, blobs=blobs)


async def _prune_requests(
    opened: OpenData, config: settings.Settings, *, dry_run: bool
) -> int:
    life = HistoryLife(opened.engine)
    if dry_run:
        now = opened.context.clock.now()
        return await life.count_old(limit_of(now, config.keep_days))
    return await prune_history(opened.context, life, config.keep_days)
