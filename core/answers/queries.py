"""Looking: history, compare, show, info, usage, budget, help."""

from contextlib import suppress
from datetime import timedelta

from core import budgets, sessions
from core.answers.lookup import current_step, resolve_step
from core.errors import NotFound, Rejected
from core.flow import prepare, status
from core.flow.context import Context
from core.incoming import Origin
from core.pictures import diagrams, formats, layout, png_metadata
from core.post import Post
from core.signed_links import Purpose
from core.types import Head, Request, Step
from core.views import answers, pictures, steps
from core.views import usage as usage_views

LINK_LIFE = timedelta(days=7)
RECENT = 6
"""Pictures on a home tab."""


async def history(context: Context, request: Request) -> Post:
    """The session's edit tree as a picture."""
    session = await prepare.session_of(context, request)
    made = await made_in(context, request.place.tenant, session)
    if not made:
        raise Rejected("refuse.no_session")
    head = await prepare.head_of(context, request, session)
    nodes = [_node(step, head, session, request.locale) for step in made]
    page = await context.pool.run(layout.lay_out, nodes)
    shown = {spot.node.id for spot in page.spots}
    thumbnails = {
        step.id: await _thumbnail(context, step, head)
        for step in made
        if step.id in shown
    }
    foreign = sum(step.session != session for step in made)
    count = foreign + await context.store.count_with_pictures(
        request.place.tenant, session
    )
    note = answers.newest_note(len(shown), count, request.locale)
    picture = await context.pool.run(diagrams.tree, page, thumbnails, note)
    claims = {"t": request.place.tenant, "s": session}
    url = context.links.url(Purpose.HISTORY, claims, context.clock.now() + LINK_LIFE)
    return answers.history_post(made, picture, len(shown), note, url, request.locale)


async def made_in(context: Context, tenant: str, session: str) -> list[Step]:
    """The session's steps with pictures, oldest first.

    A branch from somebody else's shows that as its root.
    """
    steps = await context.store.history(tenant, session)
    known = {step.id for step in steps}
    foreign = {
        step.parent for step in steps if step.parent and step.parent not in known
    }
    above = [await context.store.step(tenant, one) for one in sorted(foreign)]
    return [step for step in above + steps if step.outputs and not step.deleted]


def _node(step: Step, head: Head | None, session: str, locale: str) -> layout.Node:
    label, caption = answers.node_labels(
        step, foreign=step.session != session, locale=locale
    )
    return layout.Node(
        id=step.id,
        label=label,
        caption=caption,
        parent=step.parent,
        is_head=head is not None and head.step == step.id,
    )


async def _thumbnail(context: Context, step: Step, head: Head | None) -> bytes:
    """Of the step's picture: the one kept, else a new one, which is kept.

    It is made here and not when the picture comes: that would slow every delivery for the few
    histories that are looked at.
    """
    index = head.index if head and head.step == step.id else 0
    picture = step.outputs[index]
    if picture.thumbnail:
        with suppress(NotFound):
            return await context.blobs.read(step.tenant, picture.thumbnail)
    data = await context.blobs.read(step.tenant, picture.key)
    thumbnail = await context.pool.run(diagrams.thumbnail, data)
    key = await context.blobs.keep(step.tenant, thumbnail)
    if not await context.store.record_thumbnail(step.tenant, picture.key, key):
        await context.blobs.delete(step.tenant, key)
    return thumbnail


async def compare(context: Context, request: Request) -> Post:
    """Before and after of the current picture."""
    session, step = await current_step(context, request)
    head = await prepare.head_of(context, request, session)
    index = head.index if head and head.step == step.id else request.index or 0
    after = sessions.picture_at(step, index)
    if not step.inputs:
        raise Rejected("refuse.nothing_to_compare")
    tenant = request.place.tenant
    before_data = await context.blobs.read(tenant, step.inputs[0].key)
    after_data = await context.blobs.read(tenant, after.key)
    labels = answers.compare_labels(
        step, await status.parent_of(context, step), request.locale
    )
    side = await context.pool.run(diagrams.compare, before_data, after_data, labels)
    flicker = await context.pool.run(diagrams.flicker, before_data, after_data)
    claims: dict[str, str | int] = {"t": tenant, "s": step.id, "i": index}
    url = context.links.url(Purpose.COMPARE, claims, context.clock.now() + LINK_LIFE)
    return answers.compare_post(step, side, flicker, url, request.locale)


async def show(context: Context, request: Request) -> Post:
    """A step again, by its id."""
    step = await resolve_step(context, request)
    return steps.outcome_post(
        step, request.locale, await context.reactions.tally(step.tenant, step.id)
    )


async def info(context: Context, request: Request) -> Post:
    """What made a picture: one of ours, or the recipe in a file given."""
    if not request.attachments:
        return answers.info_post(
            (await current_step(context, request))[1], request.locale
        )
    data = await prepare.fetch(context, request, request.attachments[0])
    await context.pool.run(formats.inspect, data)
    return answers.recipe_post(png_metadata.read_recipe(data) or {}, request.locale)


async def usage(context: Context, request: Request) -> Post:
    """What this month cost, with a plot."""
    now = context.clock.now()
    spending = await context.store.usage(request.place.tenant, budgets.month_start(now))
    caps = budgets.caps(await context.store.settings(request.place.tenant))
    plot = None
    if spending:
        currency = usage_views.usual_currency(spending)
        days = usage_views.spending_by_day(spending, currency, now)
        heading = usage_views.plot_title(currency, now, request.locale)
        plot = await context.pool.run(diagrams.plot, days, heading)
    return usage_views.usage_post(spending, caps, now, plot, request.locale)


async def budget(context: Context, request: Request) -> Post:
    """Show the budgets, or set those given (by the names of Caps; "-" removes one)."""
    settings = await context.store.settings(request.place.tenant)
    if set(request.given) & set(budgets.NAMES):
        if not request.is_admin:
            raise Rejected("refuse.admins_only")
        settings = budgets.update_caps(settings, request.given)
        await context.store.save_settings(request.place.tenant, settings)
    return usage_views.budget_post(budgets.caps(settings), request.locale)


async def help_text(_context: Context, request: Request) -> Post:
    """What one can do here."""
    return answers.help_post(request.locale)


async def home(context: Context, request: Origin) -> list[Post]:
    """For one person alone.

    What one can do, what is left to spend, and their newest pictures with the way back.
    """
    caps = budgets.caps(await context.store.settings(request.place.tenant))
    newest = await context.store.recent(request.place.tenant, request.person.id, RECENT)
    shown = [
        answers.recent_post(step, await _link_to(context, step), request.locale)
        for step in newest
    ]
    return [
        answers.help_post(request.locale),
        usage_views.budget_post(caps, request.locale),
        *shown,
    ]


async def _link_to(context: Context, step: Step) -> str:
    sent = await context.store.message_of(step)
    return await context.chat(step).link(sent) if sent else ""


async def more(context: Context, request: Request) -> Post:
    """Everything else one can do with a picture."""
    _, step = await current_step(context, request)
    index = request.index or 0
    sessions.picture_at(step, index)
    return pictures.more_post(step, index, request.locale)
