"""The history: a session's edit tree as a picture, and what its page shows."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from core import sessions
from core.errors import NotFound, Rejected
from core.flow import heads
from core.flow.context import Context
from core.pictures import layout, tasks
from core.post import Post
from core.signed_links import Purpose
from core.types import Head, Request, SessionId, Step, Tenant
from core.views import answers

LINK_LIFE = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """What a history shows: a session, with its private part only for its person.

    Nothing that was begun after ``until``: a link shows what was shown when it was made.
    """

    tenant: Tenant
    session: SessionId
    private: SessionId | None
    until: datetime

    def is_foreign(self, step: Step) -> bool:
        """Whether it is another session's step, shown as the root of a branch."""
        return step.session not in {self.session, self.private}


async def history(context: Context, request: Request) -> Post:
    """The session's edit tree as a picture."""
    locale = request.locale
    session = await heads.session_of(context, request)
    branch = _branch_of(context, request, session)
    tree = await session_tree(context, branch)
    if not tree:
        raise Rejected("refuse.no_session")
    head = await heads.head_of(context, request, session)
    nodes = [_node(step, head, branch, locale) for step in tree]
    page = await context.pool.run(tasks.lay_out, nodes)
    on_page = {spot.node.id for spot in page.spots}
    shown = len(on_page)
    # Reading a thumbnail costs a file: only those that are drawn.
    thumbnails: dict[str, bytes] = {}
    for step in tree:
        if step.id not in on_page or not _has_pictures(step):
            continue
        # A picture that is lost, or too heavy to open, has an empty frame.
        with suppress(NotFound, Rejected):
            thumbnails[step.id] = await _thumbnail(context, step, head)
    count = await _count(context, branch, tree)
    note = answers.newest_note(shown, count, locale)
    picture = await context.pool.run(tasks.tree, page, thumbnails, note)
    is_private = any(step.options.private for step in tree)
    claims = _history_claims(branch, head, is_private=is_private)
    until = branch.until + LINK_LIFE
    url = context.links.url(Purpose.HISTORY, claims, until)
    return answers.history_post(
        tree,
        picture,
        shown,
        note,
        url,
        locale,
    )


def _branch_of(
    context: Context, request: Request, session: SessionId
) -> Branch:
    place = request.place
    person = request.person.id
    private = None
    if session == sessions.person_session(place, person):
        private = sessions.private_session(place, person)
    return Branch(
        tenant=place.tenant,
        session=session,
        private=private,
        until=context.clock.now(),
    )


def _history_claims(
    branch: Branch, head: Head | None, *, is_private: bool
) -> dict[str, str]:
    """What a link to a history says; only a person's own names the private part."""
    claims = {
        "t": branch.tenant,
        "s": branch.session,
        "a": branch.until.isoformat(),
        "h": head.step if head else "",
    }
    if is_private and branch.private is not None:
        claims["p"] = branch.private
    return claims


def branch_of_link(claims: Mapping[str, str]) -> Branch:
    """Read what ``history`` wrote. Raises Rejected for a link of an earlier version."""
    if "a" not in claims:
        raise Rejected("link.expired")
    private = claims.get("p")
    return Branch(
        tenant=Tenant(claims["t"]),
        session=SessionId(claims["s"]),
        private=SessionId(private) if private else None,
        until=datetime.fromisoformat(claims["a"]),
    )


async def session_tree(context: Context, branch: Branch) -> list[Step]:
    """The branch's steps with pictures, oldest first.

    A branch from another person's step shows that as its root. What was deleted stands there while
    something was made of it.
    """
    tenant = branch.tenant
    own_steps = await context.store.history(tenant, branch.session)
    if branch.private is not None:
        own_steps += await context.store.history(tenant, branch.private)
    own_ids = {step.id for step in own_steps}
    parents = {step.parent for step in own_steps if step.parent}
    foreign_parents = sorted(parents - own_ids)
    roots = [
        await context.store.step(tenant, parent) for parent in foreign_parents
    ]
    oldest_first = sorted(own_steps, key=lambda step: step.created)
    candidates = [
        step for step in roots + oldest_first if _may_show(step, branch)
    ]
    origins = {step.parent for step in candidates if _has_pictures(step)}
    return [
        step
        for step in candidates
        if _has_pictures(step) or (step.deleted and step.id in origins)
    ]


def _may_show(step: Step, branch: Branch) -> bool:
    if step.options.private and branch.private is None:
        return False
    return step.created <= branch.until


def _has_pictures(step: Step) -> bool:
    return bool(step.outputs) and not step.deleted


async def _count(context: Context, branch: Branch, tree: list[Step]) -> int:
    """How many steps a history has in all: the tree holds the newest only."""
    parts = [branch.session]
    if branch.private is not None:
        parts.append(branch.private)
    count = sum(branch.is_foreign(step) or bool(step.deleted) for step in tree)
    for part in parts:
        count += await context.store.count_with_pictures(branch.tenant, part)
    return count


def _node(
    step: Step, head: Head | None, branch: Branch, locale: str
) -> layout.Node:
    label, caption = answers.node_labels(
        step, foreign=branch.is_foreign(step), locale=locale
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
