"""From a request to the step it begins: source, inputs, options, model, size and price."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from core import channel_settings, permissions, sessions
from core.errors import Rejected
from core.flow import heads, lost_files, status_posts
from core.flow.attachments import (
    Collected,
    Origin,
    fit,
    naming,
    store_image,
)
from core.flow.context import Context
from core.model_sizes import expansion
from core.operations import Action
from core.options import Options, with_defaults
from core.pictures import tasks
from core.pictures.facts import RESULTS, NormalizedImage
from core.size import Size
from core.types import (
    HIDDEN,
    Picture,
    Request,
    SessionId,
    Step,
    StepState,
    Tenant,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a step is to do, before a model is chosen for it.

    ``parent`` is the step whose picture ``index`` is edited; ``mask`` the blob of a mask.
    """

    action: Action
    prompt: str
    options: Options
    session: SessionId
    parent: Step | None = None
    index: int = 0
    inputs: tuple[Picture, ...] = ()
    mask: str | None = None
    notes: tuple[str, ...] = ()
    origins: Mapping[str, Origin] = field(default_factory=dict)


async def plan_step(
    context: Context,
    request: Request,
    collected: Collected,
    preferences: channel_settings.Preferences,
) -> Step:
    """Plan the step as it will begin. Raises Rejected or NotFound."""
    target = None
    if request.target:
        target = await heads.visible_step(context, request, request.target)
    session = await heads.session_of(context, request)
    if sessions.same_again(request.action):
        plan = await _plan_again(context, request, target, session)
    else:
        plan = await _plan_new(context, request, collected, target, session)
    permissions.require_work(preferences, request, plan.action, plan.prompt)
    if not sessions.same_again(request.action):
        prompt, options = channel_settings.apply_defaults(
            preferences,
            request.action,
            request.text,
            request.options,
            context.catalog,
        )
        plan = replace(plan, prompt=prompt, options=options)
    return await _draft_step(context, request, plan)


async def _plan_new(
    context: Context,
    request: Request,
    collected: Collected,
    target: Step | None,
    session: SessionId,
) -> Plan:
    plan = Plan(
        action=request.action,
        prompt=request.text,
        options=request.options,
        session=session,
        inputs=collected.pictures,
        mask=collected.mask,
        notes=collected.notes,
        origins=collected.origins,
    )
    if request.action is Action.DRAW or collected.pictures:
        return plan
    if target is not None:
        parent = target
        index = request.index or 0
    else:
        parent, index = await _head_step(context, request, session)
        await lost_files.require_clear(context, request, parent)
    inputs = (sessions.picture_at(parent, index),)
    return replace(plan, parent=parent, index=index, inputs=inputs)


async def _head_step(
    context: Context,
    request: Request,
    session: SessionId,
) -> tuple[Step, int]:
    """The step and picture of the head; an edit never becomes a drawing from words."""
    head = await heads.head_of(context, request, session)
    if head is None:
        raise Rejected("refuse.no_picture")
    return await context.store.step(
        request.place.tenant, head.step
    ), head.index


async def _plan_again(
    context: Context,
    request: Request,
    target: Step | None,
    session: SessionId,
) -> Plan:
    """Plan the repetition of a step.

    "Again" takes the same inputs and words with a new seed. "Rerun" merges the chain's instructions
    and runs them on its root.
    """
    if target is None:
        target, _ = await _head_step(context, request, session)
    if target.deleted:
        raise Rejected("refuse.picture_gone")
    if request.action is Action.RERUN:
        return await _plan_rerun(context, request, target, session)
    if target.action is not Action.DRAW:
        sessions.source_of(target)
    return Plan(
        action=target.action,
        prompt=target.prompt,
        options=target.options,
        session=session,
        parent=await status_posts.parent_of(context, target),
        index=target.parent_index,
        inputs=target.inputs,
        mask=target.mask.key if target.mask else None,
        notes=(HIDDEN,) if target.is_hidden else (),
    )


async def _plan_rerun(
    context: Context,
    request: Request,
    target: Step,
    session: SessionId,
) -> Plan:
    root, edits = await heads.chain_of(context, target)
    prompt = request.text or sessions.merged_instructions(edits)
    if not prompt:
        raise Rejected("refuse.nothing_to_rerun")
    # The root may be for all; the instructions since are not, when one of them was a secret.
    is_secret = request.options.private or target.options.private
    plan = Plan(
        action=Action.EDIT,
        prompt=prompt,
        options=replace(request.options, private=is_secret),
        session=session,
        notes=(HIDDEN,) if target.is_hidden else (),
    )
    if root.inputs:
        return replace(plan, inputs=root.inputs)
    index = edits[0].parent_index if edits else 0
    inputs = (sessions.picture_at(root, index),)
    return replace(plan, parent=root, index=index, inputs=inputs)


async def _draft_step(context: Context, request: Request, plan: Plan) -> Step:
    tenant = request.place.tenant
    parent = plan.parent
    choice = context.catalog.choose(
        plan.action,
        len(plan.inputs),
        plan.options,
        context.accounts,
    )
    model = choice.model
    context.catalog.check(model, plan.action, plan.prompt, plan.options)
    inputs: list[Picture] = []
    for picture in plan.inputs:
        origin = plan.origins.get(picture.key)
        inputs.append(await fit(context, tenant, picture, model, origin))
    options = _settle_options(plan, inputs)
    if plan.action is Action.UPSCALE:
        _check_scale(options, inputs[0].size)
    session = plan.session
    if options.private:
        # A private result never enters what a thread shares.
        session = sessions.private_session(request.place, request.person.id)
    id = sessions.step_id(request)
    n = options.n or 1
    input_size = inputs[-1].size if inputs else None
    size = context.catalog.size_for(model, plan.action, options, input_size)
    return Step(
        id=id,
        place=request.place,
        session=session,
        number=0,
        person=request.person,
        locale=request.locale,
        action=plan.action,
        prompt=plan.prompt,
        options=options,
        model=model.id,
        account=choice.account.name,
        seed=sessions.seed_for(id) if options.seed is None else options.seed,
        n=n,
        size=size,
        state=StepState.QUEUED,
        created=context.clock.now(),
        parent=parent.id if parent else None,
        parent_index=plan.index,
        depth=parent.depth + 1 if parent else 0,
        inputs=tuple(inputs),
        mask=await _make_mask(context, tenant, plan, inputs),
        price=context.catalog.price(choice, n, size, options),
        reply=request.reply,
        notes=_settle_notes(plan),
    )


def _settle_notes(plan: Plan) -> tuple[str, ...]:
    """What is made of a hidden picture is hidden, too."""
    is_hidden = plan.parent is not None and plan.parent.is_hidden
    if is_hidden and HIDDEN not in plan.notes:
        return (*plan.notes, HIDDEN)
    return plan.notes


def _settle_options(plan: Plan, inputs: list[Picture]) -> Options:
    options = plan.options
    if plan.action is Action.EXPAND:
        options = expansion(options, inputs[0].size)
    options = with_defaults(plan.action, options)
    if plan.parent is not None and plan.parent.options.private:
        # What is made of a secret stays one.
        options = replace(options, private=True)
    return options


def _check_scale(options: Options, size: Size) -> None:
    """Refuse a scale with a result too large to keep: it would be paid for all the same."""
    scales = range(1, (options.scale or 1) + 1)
    allowed = [scale for scale in scales if _is_kept(size, scale)]
    if len(allowed) < len(scales):
        raise Rejected(
            "picture.scale",
            size=size.label,
            scale=options.scale,
            allowed=allowed[-1],
        )


def _is_kept(size: Size, scale: int) -> bool:
    width, height = size.width * scale, size.height * scale
    is_short = max(width, height) <= RESULTS.side
    return is_short and width * height <= RESULTS.pixels


async def _make_mask(
    context: Context,
    tenant: Tenant,
    plan: Plan,
    inputs: list[Picture],
) -> Picture | None:
    if plan.action is not Action.INPAINT:
        return None
    size = inputs[0].size
    if plan.mask is not None:
        raw = await context.blobs.read(tenant, plan.mask)
        origin = plan.origins.get(plan.inputs[0].key)
        known_size = origin.size if origin else plan.inputs[0].size
        with naming("", size=known_size.label):
            data = await context.pool.run(tasks.mask, raw, size)
    elif plan.options.mask is not None:
        data = await context.pool.run(tasks.region, plan.options.mask, size)
    else:
        return None
    image = NormalizedImage(
        data=data,
        width=size.width,
        height=size.height,
        media_type="image/png",
        notes=(),
    )
    return await store_image(context, tenant, image)
