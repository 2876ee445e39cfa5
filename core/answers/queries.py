"""Looking: history, compare, show, info, usage, budget, help."""

from contextlib import suppress
from datetime import timedelta

from core import budgets, sessions
from core.answers.lookup import current, named
from core.errors import NotFound, Rejected
from core.flow import prepare, status
from core.flow.context import Tools
from core.pictures import diagrams, layout, normalize, png_metadata
from core.post import Post
from core.signed_links import Purpose
from core.types import Head, Request, Step
from core.views import answers, steps

LINK_LIFE = timedelta(days=7)
RECENT = 6
"""Pictures on a home tab."""


async def history(tools: Tools, request: Request) -> Post:
    """The session's edit tree as a picture."""
    session = await prepare.session_of(tools, request)
    made = await made_in(tools, request.place.tenant, session)
    if not made:
        raise Rejected("refuse.no_session")
    head = await prepare.head_of(tools, request, session)
    nodes = [_node(step, head, session, request.locale) for step in made]
    page = await tools.pool.run(layout.lay_out, nodes)
    shown = {spot.node.id for spot in page.spots}
    thumbnails = {step.id: await _thumbnail(tools, step, head) for step in made if step.id in shown}
    foreign = sum(step.session != session for step in made)
    count = foreign + await tools.store.count_made(request.place.tenant, session)
    note = answers.newest(len(shown), count, request.locale)
    picture = await tools.pool.run(diagrams.tree, page, thumbnails, note)
    claims = {"t": request.place.tenant, "s": session}
    url = tools.links.url(Purpose.HISTORY, claims, tools.clock.now() + LINK_LIFE)
    return answers.history(made, picture, len(shown), note, url, request.locale)


async def made_in(tools: Tools, tenant: str, session: str) -> list[Step]:
    """The session's steps with pictures, oldest first.

    A branch from somebody else's shows that as its root.
    """
    steps = await tools.store.history(tenant, session)
    known = {step.id for step in steps}
    foreign = {step.parent for step in steps if step.parent and step.parent not in known}
    above = [await tools.store.step(tenant, one) for one in sorted(foreign)]
    return [step for step in above + steps if step.outputs and not step.deleted]


def _node(step: Step, head: Head | None, session: str, locale: str) -> layout.Node:
    label, caption = answers.node(step, foreign=step.session != session, locale=locale)
    return layout.Node(
        id=step.id,
        label=label,
        caption=caption,
        parent=step.parent,
        is_head=head is not None and head.step == step.id,
    )


async def _thumbnail(tools: Tools, step: Step, head: Head | None) -> bytes:
    """Of the step's picture: the one kept, else a new one, which is kept.

    It is made here and not when the picture comes: that would slow every delivery for the few
    histories that are looked at.
    """
    index = head.index if head and head.step == step.id else 0
    picture = step.outputs[index]
    if picture.thumbnail:
        with suppress(NotFound):
            return await tools.blobs.read(step.tenant, picture.thumbnail)
    data = await tools.blobs.read(step.tenant, picture.key)
    thumbnail = await tools.pool.run(diagrams.thumbnail, data)
    key = await tools.blobs.keep(step.tenant, thumbnail)
    if not await tools.store.keep_thumbnail(step.tenant, picture.key, key):
        await tools.blobs.delete(step.tenant, key)
    return thumbnail


async def compare(tools: Tools, request: Request) -> Post:
    """Before and after of the current picture."""
    session, step = await current(tools, request)
    head = await prepare.head_of(tools, request, session)
    index = head.index if head and head.step == step.id else request.index or 0
    after = sessions.picture_at(step, index)
    if not step.inputs:
        raise Rejected("refuse.nothing_to_compare")
    tenant = request.place.tenant
    before_data = await tools.blobs.read(tenant, step.inputs[0].key)
    after_data = await tools.blobs.read(tenant, after.key)
    labels = answers.compare_labels(step, await status.parent_of(tools, step), request.locale)
    side = await tools.pool.run(diagrams.compare, before_data, after_data, labels)
    flicker = await tools.pool.run(diagrams.flicker, before_data, after_data)
    claims: dict[str, str | int] = {"t": tenant, "s": step.id, "i": index}
    url = tools.links.url(Purpose.COMPARE, claims, tools.clock.now() + LINK_LIFE)
    return answers.compare(step, side, flicker, url, request.locale)


async def show(tools: Tools, request: Request) -> Post:
    """A step again, by its id."""
    step = await named(tools, request)
    return steps.ended(step, request.locale, await tools.together.tally(step.tenant, step.id))


async def info(tools: Tools, request: Request) -> Post:
    """What made a picture: one of ours, or the recipe in a file given."""
    if not request.attachments:
        return answers.info((await current(tools, request))[1], request.locale)
    data = await prepare.fetch(tools, request, request.attachments[0])
    await tools.pool.run(normalize.inspect, data)
    return answers.recipe(png_metadata.read_recipe(data) or {}, request.locale)


async def usage(tools: Tools, request: Request) -> Post:
    """What this month cost, with a plot."""
    now = tools.clock.now()
    spending = await tools.store.usage(request.place.tenant, budgets.month_start(now))
    caps = budgets.caps(await tools.store.settings(request.place.tenant))
    days = answers.by_day(spending, now)
    plot = (
        await tools.pool.run(diagrams.plot, days, answers.plot_title(now, request.locale))
        if spending
        else None
    )
    return answers.usage(spending, caps, now, plot, request.locale)


async def budget(tools: Tools, request: Request) -> Post:
    """Show the budgets, or set those given (by the names of Caps; "-" removes one)."""
    settings = await tools.store.settings(request.place.tenant)
    if set(request.given) & set(budgets.NAMES):
        if not request.is_admin:
            raise Rejected("refuse.admins_only")
        settings = budgets.changed(settings, request.given)
        await tools.store.save_settings(request.place.tenant, settings)
    return answers.budget(budgets.caps(settings), request.locale)


async def help_text(_tools: Tools, request: Request) -> Post:
    """What one can do here."""
    return answers.help_text(request.locale)


async def home(tools: Tools, request: Request) -> list[Post]:
    """For one person alone.

    What one can do, what is left to spend, and their newest pictures with the way back.
    """
    caps = budgets.caps(await tools.store.settings(request.place.tenant))
    newest = await tools.store.recent(request.place.tenant, request.person.id, RECENT)
    shown = [answers.recent(step, await _link_to(tools, step), request.locale) for step in newest]
    return [answers.help_text(request.locale), answers.budget(caps, request.locale), *shown]


async def _link_to(tools: Tools, step: Step) -> str:
    sent = await tools.store.message_of(step)
    return await tools.chat(step).link(sent) if sent else ""


async def more(tools: Tools, request: Request) -> Post:
    """Everything else one can do with a picture."""
    _, step = await current(tools, request)
    index = request.index or 0
    sessions.picture_at(step, index)
    return steps.more(step, index, request.locale)
