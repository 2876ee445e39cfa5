"""Answers that change nothing: history, compare, show, info, usage, budget, help."""

from contextlib import suppress
from datetime import timedelta

from core import budgets, sessions
from core.answers.lookup import current_step, resolve_step
from core.errors import NotFound, Rejected
from core.flow import attachments, heads, status
from core.flow.context import Context
from core.incoming import Origin
from core.pictures import layout, png_metadata, tasks
from core.post import Post
from core.signed_links import Purpose
from core.types import Head, Request, SessionId, Step, Tenant
from core.views import answers, pictures, steps
from core.views import usage as usage_views

LINK_LIFE = timedelta(days=7)
RECENT = 6
"""Pictures on a home tab."""


async def history(context: Context, request: Request) -> Post:
    """The session's edit tree as a picture."""
    tenant = request.place.tenant
    locale = request.locale
    session = await heads.session_of(context, request)
    tree = await session_tree(context, tenant, session)
    if not tree:
        raise Rejected("refuse.no_session")
    head = await heads.head_of(context, request, session)
    nodes = [_node(step, head, session, locale) for step in tree]
    page = await context.pool.run(tasks.lay_out, nodes)
    on_page = {spot.node.id for spot in page.spots}
    shown = len(on_page)
    thumbnails: dict[str, bytes] = {}
    for step in tree:
        if step.id in on_page:
            thumbnails[step.id] = await _thumbnail(context, step, head)
    # The tree holds the newest steps only; the note says how many there are.
    roots_elsewhere = [step for step in tree if step.session != session]
    count = await context.store.count_with_pictures(tenant, session)
    count += len(roots_elsewhere)
    note = answers.newest_note(shown, count, locale)
    picture = await context.pool.run(tasks.tree, page, thumbnails, note)
    url = _link(context, Purpose.HISTORY, t=tenant, s=session)
    return answers.history_post(
        tree,
        picture,
        shown,
        note,
        url,
        locale,
    )


async def session_tree(
    context: Context,
    tenant: Tenant,
    session: SessionId,
) -> list[Step]:
    """The session's steps with pictures, oldest first.

    A branch from another person's step shows that as its root.
    """
    own_steps = await context.store.history(tenant, session)
    own_ids = {step.id for step in own_steps}
    parents = {step.parent for step in own_steps if step.parent}
    foreign_parents = sorted(parents - own_ids)
    roots = [
        await context.store.step(tenant, parent) for parent in foreign_parents
    ]
    steps_of_tree = roots + own_steps
    return [
        step for step in steps_of_tree if step.outputs and not step.deleted
    ]


def _node(
    step: Step,
    head: Head | None,
    session: SessionId,
    locale: str,
) -> layout.Node:
    is_foreign = step.session != session
    label, caption = answers.node_labels(
        step,
        foreign=is_foreign,
        locale=locale,
    )
    return layout.Node(
        id=step.id,
        label=label,
        caption=caption,
        parent=step.parent,
        is_head=head is not None and head.step == step.id,
    )


async def _thumbnail(context: Context, step: Step, head: Head | None) -> bytes:
    """Read the step's thumbnail, or make and store it.

    It is made here and not on delivery: that would slow every delivery for the few histories that
    are looked at.
    """
    index = 0
    if head and head.step == step.id:
        index = head.index
    picture = step.outputs[index]
    if picture.thumbnail:
        with suppress(NotFound):
            return await context.blobs.read(step.tenant, picture.thumbnail)
    image = await context.blobs.read(step.tenant, picture.key)
    thumbnail = await context.pool.run(tasks.thumbnail, image)
    key = await context.blobs.keep(step.tenant, thumbnail)
    if not await context.store.record_thumbnail(step.tenant, picture.key, key):
        # The picture was deleted meanwhile: no row would ever lead to this blob.
        await context.blobs.delete(step.tenant, key)
    return thumbnail


async def compare(context: Context, request: Request) -> Post:
    """Before and after of the current picture."""
    tenant = request.place.tenant
    locale = request.locale
    session, step = await current_step(context, request)
    head = await heads.head_of(context, request, session)
    index = request.index or 0
    if head and head.step == step.id:
        index = head.index
    output = sessions.picture_at(step, index)
    if not step.inputs:
        raise Rejected("refuse.nothing_to_compare")
    before = await context.blobs.read(tenant, step.inputs[0].key)
    after = await context.blobs.read(tenant, output.key)
    parent = await status.parent_of(context, step)
    labels = answers.compare_labels(step, parent, locale)
    side_by_side = await context.pool.run(tasks.compare, before, after, labels)
    flicker = await context.pool.run(tasks.flicker, before, after)
    url = _link(context, Purpose.COMPARE, t=tenant, s=step.id, i=index)
    return answers.compare_post(step, side_by_side, flicker, url, locale)


def _link(context: Context, purpose: Purpose, **claims: str | int) -> str:
    expires = context.clock.now() + LINK_LIFE
    return context.links.url(purpose, claims, expires)


async def show(context: Context, request: Request) -> Post:
    """A step again, by its id."""
    step = await resolve_step(context, request)
    tally = await context.reactions.tally(step.tenant, step.id)
    return steps.outcome_post(step, request.locale, tally)


async def info(context: Context, request: Request) -> Post:
    """What made a picture: a step's, or an attached file's by the recipe in it."""
    if not request.attachments:
        _, step = await current_step(context, request)
        return answers.info_post(step, request.locale)
    file = request.attachments[0]
    image = await attachments.fetch(context, request, file)
    await context.pool.run(tasks.inspect, image)
    recipe = png_metadata.read_recipe(image) or {}
    return answers.recipe_post(recipe, request.locale)


async def usage(context: Context, request: Request) -> Post:
    """What this month cost, with a plot."""
    tenant = request.place.tenant
    now = context.clock.now()
    month_start = budgets.month_start(now)
    spending = await context.store.usage(tenant, month_start)
    settings = await context.store.settings(tenant)
    caps = budgets.caps(settings)
    plot = None
    if spending:
        currency = usage_views.usual_currency(spending)
        days = usage_views.spending_by_day(spending, currency, now)
        heading = usage_views.plot_title(currency, now, request.locale)
        plot = await context.pool.run(tasks.plot, days, heading)
    return usage_views.usage_post(spending, caps, now, plot, request.locale)


async def budget(context: Context, request: Request) -> Post:
    """Show the budgets, or set those given by the names of Caps; "-" removes one."""
    tenant = request.place.tenant
    settings = await context.store.settings(tenant)
    if set(request.values) & set(budgets.NAMES):
        if not request.is_admin:
            raise Rejected("refuse.admins_only")
        settings = budgets.update_caps(
            settings,
            request.values,
            context.catalog.currencies,
        )
        await context.store.save_settings(tenant, settings)
    caps = budgets.caps(settings)
    return usage_views.budget_post(caps, request.locale)


async def help_text(_context: Context, request: Request) -> Post:
    """Say what can be done here."""
    return answers.help_post(request.locale)


async def home(context: Context, request: Origin) -> list[Post]:
    """Build a person's home page, for them alone.

    It holds what they can do, what is left to spend, and their newest pictures with links back.
    """
    tenant = request.place.tenant
    locale = request.locale
    settings = await context.store.settings(tenant)
    caps = budgets.caps(settings)
    posts = [
        answers.help_post(locale),
        usage_views.budget_post(caps, locale),
    ]
    recent = await context.store.recent(tenant, request.person.id, RECENT)
    for step in recent:
        message = await context.store.message_of(step)
        link = await context.chat(step).link(message) if message else ""
        posts.append(answers.recent_post(step, link, locale))
    return posts


async def more(context: Context, request: Request) -> Post:
    """Everything else one can do with a picture."""
    _, step = await current_step(context, request)
    index = request.index or 0
    sessions.picture_at(step, index)
    return pictures.more_post(step, index, request.locale)
