"""Answers that change nothing: compare, show, info, usage, budget, help."""

from datetime import timedelta

from core import audit, budgets, permissions, sessions
from core.answers.edit_tree import LINK_LIFE
from core.answers.lookup import current_step, resolve_step
from core.errors import Rejected
from core.flow import admission, attachments, heads, status_posts
from core.flow.context import Context
from core.incoming import Origin
from core.pictures import png_metadata, tasks
from core.post import Post
from core.signed_links import Purpose
from core.types import Request
from core.views import answers, pictures, steps
from core.views import usage as usage_views

RECENT = 6
"""Pictures on a home tab."""
TABLE_SPAN = timedelta(days=335)
"""How far back the table of usage reaches at least: this month and the eleven before."""


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
    source = sessions.source_of(step)
    before = await context.blobs.read(tenant, source.key)
    after = await context.blobs.read(tenant, output.key)
    parent = await status_posts.parent_of(context, step)
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
    spending = await context.store.usage(tenant, budgets.month_start(now))
    if not request.is_admin:
        # What others spent would tell of their private pictures.
        person = request.person.id
        spending = [spent for spent in spending if spent.person_id == person]
    caps = budgets.caps(await context.store.settings(tenant))
    plot = None
    if spending:
        currency = usage_views.usual_currency(spending)
        days = usage_views.spending_by_day(spending, currency, now)
        heading = usage_views.plot_title(currency, now, request.locale)
        plot = await context.pool.run(tasks.plot, days, heading)
    post = usage_views.usage_post(spending, caps, now, plot, request.locale)
    if not request.is_admin:
        return post
    since = budgets.month_start(budgets.month_start(now) - TABLE_SPAN)
    usage = await context.store.usage_by_model(tenant, since)
    return usage_views.with_table(post, usage, now, request.locale)


async def budget(context: Context, request: Request) -> Post:
    """Show the budgets, or set those given by the names of Caps; "-" removes one."""
    tenant = request.place.tenant
    settings = await context.store.settings(tenant)
    if set(request.values) & set(budgets.NAMES):
        if not request.is_admin:
            raise Rejected("refuse.admins_only")
        before = settings
        settings = budgets.update_caps(
            before,
            request.values,
            context.catalog.currencies_of(context.accounts),
        )
        now = context.clock.now()
        entries = audit.changes_by(request, before, settings, now)
        await context.store.save_settings(tenant, settings, entries)
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
    preferences = await admission.preferences_in(context, request.place)
    allowed = permissions.allowed_functions(preferences)
    return pictures.more_post(step, index, request.locale, allowed)
