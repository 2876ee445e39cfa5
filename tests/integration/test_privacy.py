"""What one person does in private changes nothing that another can see."""

import io
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import pytest_asyncio
from hypothesis import strategies as st
from PIL import Image

from core import channel_settings
from core.answers import edit_tree, navigation, queries
from core.budgets import Caps
from core.errors import EaselError
from core.flow import attachments
from core.flow.context import Context
from core.flow.plan import plan_step
from core.operations import Action
from core.options import Options
from core.pictures import formats
from core.post import Post, PostedMessage
from core.signed_links import Purpose
from core.types import (
    CountedReaction,
    Person,
    Picture,
    Place,
    Request,
    Step,
    StepId,
)
from core.views import steps
from tests.bench.history import open_context
from tests.fakes.steps import dashscope, yuan

ANA = Person(id="ana", name="Ana")
BEN = Person(id="ben", name="Ben")
NOTHING = attachments.Collected()


class Account:
    """A provider as far as a plan asks it."""

    account = dashscope()


class World:
    """A workspace in which Ana and Ben draw. Its steps are known by names."""

    def __init__(self, context: Context, workspace: str) -> None:
        self.context = context
        self.place = Place(platform="test", workspace=workspace, channel="c")
        self.names: dict[str, StepId] = {}
        self.public: list[str] = []
        self.links: list[str] = []

    def request(self, person: Person, action: Action, **facts: Any) -> Request:
        """A request in the channel."""
        return Request(
            key=facts.pop("key", "k"),
            place=self.place,
            person=person,
            locale="en",
            action=action,
            **facts,
        )

    async def makes(
        self, person: Person, name: str, of: str | None, *, private: bool
    ) -> None:
        """Draw, or edit a picture, and show it."""
        action = Action.EDIT if of else Action.DRAW
        request = self.request(
            person,
            action,
            key=name,
            text=f"words of {name}",
            options=Options(private=private, seed=7),
            target=self.names[of] if of else None,
        )
        preferences = channel_settings.preferences_of({}, "c")
        planned = await plan_step(self.context, request, NOTHING, preferences)
        now = self.context.clock.now()
        store = self.context.store
        begun = await store.begin(planned, Caps(), now)
        await store.intend(begun.tenant, begun.id, now)
        await store.record_task(begun.tenant, begun.id, "t", "r", None, now)
        output = await self.picture(name)
        await store.record_results(begun, [output], yuan("0.2"), 1.0, now)
        await store.finish(begun.tenant, begun.id)
        place = replace(self.place, channel="dm") if private else self.place
        sent = PostedMessage(place=place, message=name)
        await store.remember(sent, begun.tenant, begun.id)
        self.names[name] = begun.id
        if not private:
            self.public.append(name)

    async def picture(self, name: str) -> Picture:
        """A small picture, a different one for each name."""
        buffer = io.BytesIO()
        shade = sum(map(ord, name)) % 256
        Image.new("RGB", (384, 384), (shade, 99, 9)).save(buffer, "PNG")
        content = buffer.getvalue() + name.encode()
        key = await self.context.blobs.keep(self.place.tenant, content)
        return attachments.picture_of(key, content, formats.inspect(content))

    async def posts_history(self, person: Person) -> None:
        """Post a history; if all may see it, its link is known to all."""
        try:
            post = await edit_tree.history(
                self.context, self.request(person, Action.HISTORY)
            )
        except EaselError:
            return
        if not post.private:
            self.links.append(post.buttons[0].url)

    async def undoes(self, person: Person) -> None:
        """Move the head of the person, if that can be done."""
        try:
            await navigation.undo(
                self.context, self.request(person, Action.UNDO)
            )
        except EaselError:
            return

    async def likes(self, person: Person, name: str) -> None:
        """Star a picture."""
        await self.context.reactions.add(
            self.place.tenant,
            self.names[name],
            person.id,
            CountedReaction.FAVOURITE,
            0,
        )

    async def view(self, person: Person) -> list[str]:
        """Everything that this person can get to see, with names in place of ids."""
        seen: list[str] = []
        for name in self.public:
            step = await self.step(name)
            tally = await self.context.reactions.tally(step.tenant, step.id)
            seen.append(words(steps.outcome_post(step, "en", tally)))
        for action, answer in (
            (Action.HISTORY, edit_tree.history),
            (Action.USAGE, queries.usage),
            (Action.BUDGET, queries.budget),
        ):
            try:
                post = await answer(self.context, self.request(person, action))
            except EaselError as error:
                seen.append(error.key)
            else:
                seen.append(words(post))
        seen += [str(await self.page(url)) for url in self.links]
        for name, id in self.names.items():
            seen = [text.replace(id, name) for text in seen]
        return seen

    async def page(self, url: str) -> list[tuple[Any, ...]]:
        """What the page of a history shows."""
        token = url.rpartition("/")[2]
        now = self.context.clock.now()
        claims = self.context.links.read(Purpose.HISTORY, token, now)
        branch = edit_tree.branch_of_link(claims)
        tree = await edit_tree.session_tree(self.context, branch)
        return [
            (step.id, step.number, step.prompt, step.id == claims["h"])
            for step in tree
        ]

    async def step(self, name: str) -> Step:
        """The step of that name."""
        return await self.context.store.step(
            self.place.tenant, self.names[name]
        )


def words(post: Post) -> str:
    """All that a post says; its pictures by what they are called."""
    pictures = [(picture.name, picture.alt) for picture in post.pictures]
    buttons = [
        (button.label, button.step) for button in post.buttons + post.menu
    ]
    return f"{post.title}\n{post.text}\n{pictures}\n{buttons}"


@pytest_asyncio.fixture
async def context(tmp_path: Path) -> AsyncIterator[Context]:
    async with open_context(tmp_path) as opened:
        provider: Any = Account()
        yield replace(opened, providers={"beijing": provider})


@pytest.fixture
def open_world(context: Context) -> Callable[[str], World]:
    """Open a workspace. (Hypothesis would print a whole context.)"""
    return lambda workspace: World(context, workspace)


WHO = st.sampled_from([ANA, BEN])
OF = st.none() | st.integers(0, 20)
MAKE = st.tuples(st.just("make"), WHO, OF)
SECRET = st.tuples(st.just("secret"), st.just(ANA), OF)
OTHER = st.tuples(st.sampled_from(["history", "undo", "like"]), WHO, OF)
numbers = itertools.count()


@hypothesis.settings(
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(
    happenings=st.lists(MAKE | SECRET | SECRET | OTHER, max_size=8)
)
async def test_what_ana_does_in_private_changes_nothing_that_ben_sees(
    open_world: Callable[[str], World],
    happenings: list[tuple[str, Person, int | None]],
) -> None:
    """Two worlds, the same but for Ana's private doings."""
    number = next(numbers)
    whole = open_world(f"whole{number}")
    public = open_world(f"public{number}")
    for at, (kind, person, which) in enumerate(happenings):
        await happen(whole, kind, person, which, f"n{at}")
        if kind != "secret":
            await happen(public, kind, person, which, f"n{at}")
        # Where Ana's history holds something private, she alone sees it.
        del public.links[len(whole.links) :]
        assert await whole.view(BEN) == await public.view(BEN)


async def happen(
    world: World, kind: str, person: Person, which: int | None, name: str
) -> None:
    """One thing that a person does."""
    is_known = which is not None and bool(world.public)
    of = world.public[which % len(world.public)] if is_known else None  # type: ignore[operator]
    if kind in {"make", "secret"}:
        await world.makes(person, name, of, private=kind == "secret")
    elif kind == "history":
        await world.posts_history(person)
    elif kind == "undo" and person is BEN:
        await world.undoes(person)
    elif kind == "like" and of is not None:
        await world.likes(person, of)


async def test_a_link_shows_what_was_shown_when_it_was_made(
    context: Context,
) -> None:
    world = World(context, "w")
    await world.makes(ANA, "house", None, private=False)
    await world.posts_history(ANA)
    await world.makes(ANA, "ring", None, private=True)
    await world.makes(ANA, "later", None, private=False)
    (page,) = [await world.page(url) for url in world.links]
    assert [row[2] for row in page] == ["words of house"]
    assert page[0][3]


async def test_an_owner_sees_the_private_part_in_a_private_history(
    context: Context,
) -> None:
    world = World(context, "w")
    await world.makes(ANA, "house", None, private=False)
    await world.makes(ANA, "ring", None, private=True)
    await world.makes(ANA, "later", None, private=False)
    assert [(await world.step(name)).number for name in world.names] == [
        1,
        1,
        2,
    ]
    post = await edit_tree.history(context, world.request(ANA, Action.HISTORY))
    assert post.private
    assert [line.split(" · ")[0] for line in post.text.split("\n")] == [
        "v1",
        "v1 private",
        "v2",
    ]
    page = await world.page(post.buttons[0].url)
    assert len(page) == 3


async def test_a_private_step_is_redone_by_its_person(
    context: Context,
) -> None:
    world = World(context, "w")
    await world.makes(ANA, "house", None, private=False)
    await world.makes(ANA, "night", "house", private=True)
    await world.undoes(ANA)
    request = world.request(ANA, Action.REDO)
    assert (await navigation.redo(context, request)).job == world.names[
        "night"
    ]


@pytest.mark.parametrize("is_admin", [True, False])
async def test_only_admins_see_what_each_person_spent(
    context: Context, *, is_admin: bool
) -> None:
    world = World(context, "w")
    await world.makes(ANA, "house", None, private=False)
    await world.makes(BEN, "tree", None, private=False)
    request = world.request(BEN, Action.USAGE, is_admin=is_admin)
    text = (await queries.usage(context, request)).text
    assert "Ben" in text
    assert ("Ana" in text) is is_admin
