"""Erase what a deleted step's pictures leave: bytes, rows, and copies that others worked on."""

from core.flow.context import Context
from core.types import StepId, Tenant


async def erase_pictures(
    context: Context, tenant: Tenant, step: StepId
) -> None:
    """Erase bytes and rows. Safe to repeat."""
    store = context.store
    now = context.clock.now()
    # The bytes before the rows: after a crash in between, the rows still lead to them.
    if keys := set(await store.delete_step(tenant, step, now)):
        for key in keys.difference(await context.uploads()):
            await context.blobs.delete(tenant, key)
    for key in await store.forget_outputs(tenant, step):
        await context.blobs.delete(tenant, key)


async def erase_leftovers(context: Context) -> None:
    """Erase what a crash, or a job that ran on with a picture, has left of deleted steps."""
    for tenant, step in await context.store.leftovers():
        await erase_pictures(context, tenant, step)
