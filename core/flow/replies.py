"""Replies to a request that is not a job yet: refusals, answers, forms, the mask question."""

from dataclasses import replace
from datetime import timedelta

from core import grammar, sessions
from core.catalog import is_sufficient_prompt, wordless
from core.errors import EaselError, Rejected
from core.failpoints import failpoint
from core.flow.context import (
    Context,
    intend_post,
    is_passing,
    retry_delivery,
    try_delivery,
)
from core.forms import Form, fill, operation_form
from core.incoming import Kind, Origin
from core.log import log
from core.operations import Action
from core.post import Post
from core.sayings import SayingKind, read_saying
from core.signed_links import Purpose
from core.types import MessageRole, Request, StepId, to_json
from core.views import pictures, steps

PAINTER_LIFE = timedelta(minutes=15)


def check(context: Context, request: Request) -> None:
    """Refuse a request that is wrong in itself: options, model, prompt, number of pictures.

    It does no I/O, so it may run before the commit.
    """
    if sessions.same_again(request.action):
        return
    attached = len(request.attachments)
    pictures = attached if attached or request.action is Action.DRAW else 1
    choice = context.catalog.choose(
        request.action,
        pictures,
        request.options,
        context.accounts,
    )
    context.catalog.check(
        choice.model,
        request.action,
        request.text,
        request.options,
    )
    if request.text and not is_sufficient_prompt(request.action, request.text):
        raise wordless(request.action)
    context.catalog.size_for(
        choice.model,
        request.action,
        request.options,
        None,
    )
    if request.action is Action.DRAW and attached:
        raise Rejected("refuse.draw_with_picture")


def form_again(context: Context, request: Request) -> Form:
    """The form of a request that lacks something, with what was typed.

    Options stand in fields if they came in such, and behind the words otherwise.
    """
    _, others = fill(
        form_for(context, request, ""),
        request.options,
        request.typed,
    )
    words = grammar.write(grammar.Parsed(prompt=request.text, options=others))
    form, _ = fill(
        form_for(context, request, words),
        request.options,
        request.typed,
    )
    return form


def form_for(context: Context, request: Request, words: str) -> Form:
    """Build the form of an action that makes pictures; ask for pictures unless one is settled."""
    return operation_form(
        request.action,
        context.catalog,
        context.accounts,
        request.locale,
        prompt=words,
        target=request.target,
        index=request.index,
        pictures=not request.attachments,
    )


async def show_form(context: Context, request: Request, form: Form) -> None:
    """Show a form where the platform still allows it, else say that it came too late."""
    if not await context.chats[request.place.platform].ask(form, request):
        await refuse(context, request, Rejected("refuse.too_late"))


def could_cost(request: Origin) -> bool:
    """Whether it could have led to charged work, so that a refusal should say that it did not."""
    if isinstance(request, Request):
        return request.action.makes_pictures
    if request.operation in set(Action):
        return Action(request.operation).makes_pictures
    saying = read_saying(request.words, is_named=request.mentions.us)
    if saying.kind is SayingKind.COMMAND:
        return saying.name != "easel"
    return request.kind is not Kind.REACTION


async def refuse(context: Context, request: Origin, error: EaselError) -> None:
    """Refuse a request, privately and once."""
    job = sessions.step_id(request)
    log.info("refused", step=job, error=error.key)
    post = steps.refusal_post(
        error, request.locale, job, could_cost=could_cost(request)
    )
    await retry_delivery(context, job, lambda: _reply(context, request, post))


async def refuse_or_raise(
    context: Context,
    request: Origin,
    error: EaselError,
) -> None:
    """Refuse a request with words; raise what passes, for the caller to try again."""
    if is_passing(error):
        raise error
    await refuse(context, request, error)


async def reply_once(context: Context, request: Origin, post: Post) -> None:
    """Answer a request once: the answer is known by the request's id.

    Raises passing errors, for the caller to try again.
    """
    await try_delivery(
        sessions.step_id(request), lambda: _reply(context, request, post)
    )


async def _reply(context: Context, request: Origin, post: Post) -> None:
    """Post it, or find it posted already. A step it shows is remembered."""
    chat = context.chats[request.place.platform]
    tenant = request.place.tenant
    job = sessions.step_id(request)
    # Written down before it is posted: after a crash the message is looked for, not repeated.
    sent = await intend_post(context, request.place, job, MessageRole.ANSWER)
    if sent is None:
        failpoint("answer.before_post")
        sent = await chat.post(
            request.place,
            replace(post, job=job),
            to=request.person,
            reply=request.reply,
        )
        failpoint("answer.after_post")
    await context.store.remember_drawing(sent, post.drawn_from)
    if post.pictures and post.job not in {"", job}:
        await context.store.remember(
            sent,
            tenant,
            StepId(post.job),
            MessageRole.ANSWER,
        )


async def offer_mask(context: Context, request: Request) -> Post:
    """Keep the request as a draft, and ask which part should change."""
    draft = sessions.step_id(request)
    now = context.clock.now()
    await context.drafts.save(
        request.place.tenant,
        draft,
        to_json(request),
        now,
    )
    claims = {"t": request.place.tenant, "d": draft}
    url = context.links.url(Purpose.MASK, claims, now + PAINTER_LIFE)
    return pictures.mask_offer_post(draft, url, request.locale, draft)
