"""take: fetch the attached pictures and make them ours, begin the step, say what will happen."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from core import budgets, channel_settings, sessions
from core.catalog import Model
from core.errors import EaselError, NotFound, Rejected
from core.failpoints import failpoint
from core.flow import replies, status
from core.flow.context import Context, fail_step, retry_delivery, upsert_status
from core.incoming import Origin
from core.model_sizes import expansion
from core.options import with_defaults
from core.pictures import formats, masks, normalize
from core.types import (
    Action,
    Attachment,
    Head,
    Options,
    Picture,
    Request,
    SessionId,
    Size,
    Step,
    StepId,
    StepState,
    Tenant,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What was attached, as we keep it.

    Pictures, the mask's blob as it came, and notes about the pictures.
    """

    pictures: tuple[Picture, ...] = ()
    mask: str | None = None
    notes: tuple[str, ...] = ()


async def prepare(context: Context, request: Request) -> Step | None:
    """The step of a request, begun and announced.

    None when it was refused, and its person told why.
    """
    step = await _begun(context, request)
    if step is None:
        try:
            step = await _begin(context, request, await _collect(context, request))
        except EaselError as error:
            if error.key != "refuse.no_picture" or not await _asked_for_picture(
                context, request
            ):
                await replies.refuse(context, request, error)
    if step is not None:
        await announce(context, step)
    return step


async def _begun(context: Context, request: Request) -> Step | None:
    """The step, when an earlier try has begun it already."""
    try:
        return await context.store.step(request.place.tenant, sessions.step_id(request))
    except NotFound:
        return None


async def _collect(context: Context, request: Request) -> Collected:
    """Fetch, check, turn upright, strip and keep what was attached.

    Raises Rejected, NotFound or DeliveryError.
    """
    failpoint("collect.before")
    taken = [
        await _take(context, request, attachment) for attachment in request.attachments
    ]
    mask = await _keep_raw(context, request, request.mask) if request.mask else None
    failpoint("collect.after_blob")
    return Collected(
        pictures=tuple(picture for picture, _ in taken),
        mask=mask,
        notes=tuple(sorted({note for _, notes in taken for note in notes})),
    )


async def _take(
    context: Context, request: Request, attachment: Attachment
) -> tuple[Picture, tuple[str, ...]]:
    if attachment.key:
        return await stored_picture(context, request, attachment), ()
    data = await fetch(context, request, attachment)
    taken = await context.pool.run(normalize.normalize, data)
    return await _keep(context, request.place.tenant, taken), taken.notes


async def _keep(
    context: Context, tenant: Tenant, taken: normalize.NormalizedImage
) -> Picture:
    key = await context.blobs.keep(tenant, taken.data)
    return Picture(
        key=key,
        width=taken.width,
        height=taken.height,
        media_type=taken.media_type,
        length=len(taken.data),
    )


async def stored_picture(
    context: Context, request: Request, attachment: Attachment
) -> Picture:
    """A picture that is stored already. Raises NotFound when it is gone."""
    data = await context.blobs.read(request.place.tenant, attachment.key)
    facts = await context.pool.run(formats.inspect, data)
    return Picture(
        key=attachment.key,
        width=facts.width,
        height=facts.height,
        media_type=facts.media_type,
        length=len(data),
    )


async def _keep_raw(context: Context, request: Request, attachment: Attachment) -> str:
    data = await fetch(context, request, attachment)
    await context.pool.run(formats.inspect, data)
    return await context.blobs.keep(request.place.tenant, data)


async def fetch(context: Context, request: Request, attachment: Attachment) -> bytes:
    """The bytes of what a person gave, capped. Raises Rejected."""
    if attachment.key:
        return await context.blobs.read(request.place.tenant, attachment.key)
    if attachment.size is not None and attachment.size > formats.MAX_BYTES:
        raise formats.too_many_bytes(formats.MAX_BYTES)
    chunks: AsyncIterator[bytes] = context.chats[request.place.platform].fetch(
        attachment, formats.MAX_BYTES
    )
    return b"".join([chunk async for chunk in chunks])


async def _begin(
    context: Context, request: Request, collected: Collected
) -> Step | None:
    """Session, step and held money in one transaction.

    None when the mask must be asked for first.
    """
    if _lacks_mask(request, collected):
        await _ask_for_mask(context, request, collected)
        return None
    settings = await context.store.settings(request.place.tenant)
    step = await _plan(
        context,
        request,
        collected,
        channel_settings.preferences_of(settings, request.place.channel),
    )
    failpoint("begin.before_commit")
    begun = await context.store.begin(step, budgets.caps(settings), context.clock.now())
    failpoint("begin.after_commit")
    return begun


async def _asked_for_picture(context: Context, request: Request) -> bool:
    """The form to attach one, where the platform still lets us show it."""
    return await context.chats[request.place.platform].ask(
        replies.form_again(context, request), request
    )


def _lacks_mask(request: Request, collected: Collected) -> bool:
    if request.action is not Action.INPAINT or collected.mask is not None:
        return False
    return request.options.mask is None


async def _ask_for_mask(
    context: Context, request: Request, collected: Collected
) -> None:
    """The picture came along, so the painter and the regions work on what we keep of it."""
    pictures = tuple(Attachment(key=picture.key) for picture in collected.pictures)
    await replies.reply_once(
        context,
        request,
        await replies.offer_mask(context, replace(request, attachments=pictures)),
    )


async def give_up(context: Context, request: Origin) -> None:
    """End a request that a bug has stopped.

    Say so with a reference, whether its step was begun or not.
    """
    job = sessions.step_id(request)
    broken = EaselError("status.broken", reference=job)
    try:
        step = await context.store.step(request.place.tenant, job)
    except NotFound:
        await replies.refuse(context, request, broken)
        return
    await fail_step(context, step, broken)


async def announce(context: Context, step: Step) -> None:
    """The one status message of the job."""
    if (
        step.state is not StepState.QUEUED
        or await context.store.message_of(step) is not None
    ):
        return
    failpoint("announce.before_post")
    working = await status.working(context, step)
    await retry_delivery(
        context,
        step.id,
        lambda: upsert_status(context, step, working, only_while=StepState.QUEUED),
    )
    failpoint("announce.after_post")


async def session_of(context: Context, request: Request) -> SessionId:
    """The thread's session inside a thread of ours, else the person's own in this channel."""
    if request.place.thread and await context.store.is_step_thread(request.place):
        settings = await context.store.settings(request.place.tenant)
        if not channel_settings.preferences_of(
            settings, request.place.channel
        ).threads_are_personal:
            return sessions.thread_session(request.place)
    return sessions.person_session(request.place, request.person.id)


async def visible_step(context: Context, request: Request, step: StepId) -> Step:
    """A step as this person may see it here.

    Their own, or one shown in this channel and not to somebody else alone.

    Raises NotFound, in the same words for what is not there and what is not theirs.
    """
    found = await context.store.step(request.place.tenant, step)
    if found.person.id == request.person.id:
        return found
    places = {
        found.place.channel,
        *(sent.place.channel for sent in await context.store.messages_of(found)),
    }
    if found.options.private or request.place.channel not in places:
        raise NotFound("refuse.not_found", id=step)
    return found


async def is_secret(context: Context, request: Request) -> bool:
    """Will the result be private: asked for so, or made of a private picture?"""
    if request.options.private:
        return True
    if request.action is Action.DRAW or request.attachments:
        return False
    head = await head_of(context, request, await session_of(context, request))
    source = request.target or (head.step if head else None)
    return (
        source is not None
        and (await context.store.step(request.place.tenant, source)).options.private
    )


async def head_of(
    context: Context, request: Request, session: SessionId
) -> Head | None:
    """Where the session's next edit starts.

    In a thread still without results, at the result it hangs from.
    """
    head = await context.store.head(request.place.tenant, session)
    if head is not None or session != sessions.thread_session(request.place):
        return head
    try:
        place = request.place
        root = await visible_step(
            context,
            request,
            await context.store.step_of_message(
                replace(place, thread=""), place.thread
            ),
        )
    except NotFound:
        return None
    return Head(step=root.id, index=root.chosen or 0) if root.outputs else None


async def _plan(
    context: Context,
    request: Request,
    collected: Collected,
    wanted: channel_settings.Preferences,
) -> Step:
    channel_settings.require_allowed(wanted, request.action, request.person.id)
    attached = list(collected.pictures)
    target = (
        await visible_step(context, request, request.target) if request.target else None
    )
    if sessions.same_again(request.action):
        return await _plan_again(context, request, target)
    session = await session_of(context, request)
    parent, index = await _source(context, request, target, session, attached)
    inputs = attached or ([sessions.picture_at(parent, index)] if parent else [])
    prompt, options = channel_settings.apply_defaults(
        wanted, request.action, request.text, request.options, context.catalog
    )
    return await _draft(
        context,
        request,
        action=request.action,
        prompt=prompt,
        options=options,
        session=session,
        parent=parent,
        index=index,
        inputs=inputs,
        mask=collected.mask,
        notes=collected.notes,
    )


def _kept_in(request: Request, session: SessionId, options: Options) -> SessionId:
    """A private result never enters what a thread shares."""
    return (
        sessions.person_session(request.place, request.person.id)
        if options.private
        else session
    )


async def _source(
    context: Context,
    request: Request,
    target: Step | None,
    session: SessionId,
    attached: Sequence[Picture],
) -> tuple[Step | None, int]:
    """Attached, replied to, head, or refuse, in this order.

    An edit never becomes text to image.
    """
    if request.action is Action.DRAW or attached:
        return None, 0
    if target is not None:
        return target, request.index or 0
    head = await head_of(context, request, session)
    if head is None:
        raise Rejected("refuse.no_picture")
    return await context.store.step(request.place.tenant, head.step), head.index


async def _plan_again(context: Context, request: Request, target: Step | None) -> Step:
    """Again: the same inputs and words with a new seed.

    Rerun: the chain's instructions merged, run on the root.
    """
    session = await session_of(context, request)
    if target is None:
        head = await head_of(context, request, session)
        if head is None:
            raise Rejected("refuse.no_picture")
        target = await context.store.step(request.place.tenant, head.step)
    if request.action is Action.RERUN:
        return await _plan_rerun(context, request, target, session)
    parent = await status.parent_of(context, target)
    return await _draft(
        context,
        request,
        action=target.action,
        prompt=target.prompt,
        options=target.options,
        session=session,
        parent=parent,
        index=target.parent_index,
        inputs=list(target.inputs),
        mask=target.mask.key if target.mask else None,
    )


async def chain_of(context: Context, target: Step) -> tuple[Step, list[Step]]:
    """The root a step descends from, and the edits since, oldest first (the root's own when it edited an upload)."""
    chain = await context.store.chain(target.tenant, target.id)
    return chain[0], chain if chain[0].inputs else chain[1:]


async def _plan_rerun(
    context: Context, request: Request, target: Step, session: SessionId
) -> Step:
    root, edits = await chain_of(context, target)
    index = 0 if root.inputs or not edits else edits[0].parent_index
    # The root may be for all; the instructions since are not, when one of them was a secret.
    is_secret = request.options.private or target.options.private
    return await _draft(
        context,
        request,
        action=Action.EDIT,
        prompt=request.text or sessions.merged_instructions(edits),
        options=replace(request.options, private=is_secret),
        session=session,
        parent=None if root.inputs else root,
        index=index,
        inputs=list(root.inputs) or [sessions.picture_at(root, index)],
        mask=None,
    )


async def _draft(
    context: Context,
    request: Request,
    *,
    action: Action,
    prompt: str,
    options: Options,
    session: SessionId,
    parent: Step | None,
    index: int,
    inputs: Sequence[Picture],
    mask: str | None,
    notes: tuple[str, ...] = (),
) -> Step:
    tenant = request.place.tenant
    choice = context.catalog.choose(action, len(inputs), options, context.accounts)
    context.catalog.check(choice.model, action, prompt, options)
    fitted = [await fit(context, tenant, one, choice.model) for one in inputs]
    if action is Action.EXPAND:
        options = expansion(options, fitted[0].size)
    options = with_defaults(action, options)
    if parent is not None and parent.options.private:
        options = replace(options, private=True)  # What is made of a secret stays one.
    step_id = sessions.step_id(request)
    n = options.n or 1
    size = context.catalog.size_for(
        choice.model, action, options, fitted[-1].size if fitted else None
    )
    return Step(
        id=step_id,
        place=request.place,
        session=_kept_in(request, session, options),
        number=0,
        person=request.person,
        locale=request.locale,
        action=action,
        prompt=prompt,
        options=options,
        model=choice.model.id,
        account=choice.account.name,
        seed=options.seed if options.seed is not None else sessions.seed_for(step_id),
        n=n,
        size=size,
        state=StepState.QUEUED,
        created=context.clock.now(),
        parent=parent.id if parent else None,
        parent_index=index,
        depth=parent.depth + 1 if parent else 0,
        inputs=tuple(fitted),
        mask=await _mask(context, tenant, action, options, mask, fitted),
        price=context.catalog.price(choice, n, size, options),
        reply=request.reply,
        notes=notes,
    )


async def fit(
    context: Context, tenant: Tenant, picture: Picture, model: Model
) -> Picture:
    """The picture inside the model's ranges.

    Itself (its living link included) or a faithful resize.
    """
    data = await context.blobs.read(tenant, picture.key)
    fitted = await context.pool.run(normalize.fit_to, data, model.pictures)
    return picture if fitted.data == data else await _keep(context, tenant, fitted)


async def _mask(
    context: Context,
    tenant: Tenant,
    action: Action,
    options: Options,
    raw: str | None,
    inputs: Sequence[Picture],
) -> Picture | None:
    if action is not Action.INPAINT:
        return None
    size: Size = inputs[0].size
    if raw is not None:
        data = await context.pool.run(
            masks.mask, await context.blobs.read(tenant, raw), size
        )
    elif options.mask is not None:
        data = await context.pool.run(masks.region, options.mask, size)
    else:
        return None
    taken = normalize.NormalizedImage(
        data=data,
        width=size.width,
        height=size.height,
        media_type="image/png",
        notes=(),
    )
    return await _keep(context, tenant, taken)
