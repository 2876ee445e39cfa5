"""``easel forget`` and ``easel export``: what an operator does for a person who has left."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.web.chat import TENANT, WebChat
from adapters.web.store import Room, room_url
from bot import logs, run, settings, wiring
from bot.cli_errors import WrongUsage
from bot.clock import WallClock
from bot.exit_codes import ExitCode
from bot.folder import link_keys
from bot.providers import load_catalog
from core.errors import DeliveryError
from core.flow import forgetting
from core.flow.context import TRANSIENT, Context
from core.flow.exporting import Export
from core.i18n import translate
from core.pictures.pool import SameProcess
from core.ports import Blobs, Chat
from core.signed_links import Links
from core.storage import database
from core.storage.blobs import open_blobs
from core.storage.drafts import DraftStore
from core.storage.inbox import Inbox
from core.storage.people import PeopleStore
from core.storage.reactions import ReactionStore
from core.storage.sealing import use_keyring
from core.storage.store import Store
from core.types import KnownPerson, Leaver

LOGIN_SECONDS = 30.0
"""Seconds that the platforms may take to let us in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenData:
    """The stored data, opened for a command beside a running Easel or without one."""

    context: Context
    engine: AsyncEngine


def run_forget(word: str) -> int:
    """Forget a person, by id or name. Raises ConfigurationError."""
    config = settings.load()
    logs.set_up(config.log_format, "warning", settings.secrets(config))
    return asyncio.run(_forget(config, word))


def run_export(word: str, file: Path) -> int:
    """Write all that is kept of a person into a file. Raises ConfigurationError."""
    return asyncio.run(_export(settings.load(), word, file))


async def _forget(config: settings.Settings, word: str) -> int:
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(LOGIN_SECONDS):
                opening = open_data(config, with_platforms=True)
                opened = await stack.enter_async_context(opening)
        except TimeoutError:
            return _say(config, "people.away", ExitCode.GIVEN_UP)
        context = opened.context
        people = await find_person(context, word)
        if not people:
            return _say(config, "people.nobody", ExitCode.FAILED, name=word)
        inbox = Inbox(
            database.open_sync(wiring.inbox_url(config)), "forget", ()
        )
        stack.push_async_callback(inbox.close)

        async def stop_requests(leaver: Leaver) -> None:
            await inbox.forget_person(leaver.tenant, leaver.person)

        # Noted before anything is erased: a running Easel ends what is cut short here.
        for person in people:
            await context.people.ask_to_forget(
                person.tenant, person.id, context.clock.now()
            )
        return await _forget_all(config, context, people, stop_requests)


async def _forget_all(
    config: settings.Settings,
    context: Context,
    people: Sequence[KnownPerson],
    stop_requests: forgetting.StopRequests,
) -> int:
    """Forget them now. What cannot be done now, a running Easel does."""
    names = {(person.tenant, person.id) for person in people}
    are_gone = True
    for leaver in await context.people.leavers():
        if (leaver.tenant, leaver.person) not in names:
            continue
        try:
            is_gone = await forgetting.forget_person(
                context, leaver, stop_requests
            )
        except (DeliveryError, *TRANSIENT):
            return _say(config, "people.later", ExitCode.GIVEN_UP)
        are_gone = are_gone and is_gone
    key = "people.forgotten" if are_gone else "people.at_work"
    return _say(config, key, ExitCode.OK, count=len(people))


async def _export(config: settings.Settings, word: str, file: Path) -> int:
    async with open_data(config, with_platforms=False) as opened:
        context = opened.context
        people = await find_person(context, word)
        if not people:
            return _say(config, "people.nobody", ExitCode.FAILED, name=word)
        export = Export(context=context, person=people[0].id)
        tenants = [person.tenant for person in people]
        try:
            # "x": no file that is already there is overwritten.
            with await asyncio.to_thread(file.open, "xb") as archive:
                async for part in export.read(tenants):
                    await asyncio.to_thread(archive.write, part)
        except OSError as error:
            return _say(
                config,
                "people.no_file",
                ExitCode.FAILED,
                path=str(file),
                reason=error.strerror or "error",
            )
    return _say(config, "people.exported", ExitCode.OK, path=str(file))


async def find_person(context: Context, word: str) -> list[KnownPerson]:
    """The workspaces that know a person, by id or name, or by platform and id as in ``web:ana``.

    Raises WrongUsage for several people: the same id is another person's on another platform.
    """
    people = await _known_as(context, word)
    platform, colon, id = word.partition(":")
    if colon and not people:
        people = [
            person
            for person in await _known_as(context, id)
            if person.tenant.startswith(f"{platform}:")
        ]
    names = sorted({_name_of(person) for person in people})
    if len(names) > 1:
        raise WrongUsage("people.several", name=word, allowed=", ".join(names))
    return people


def _name_of(person: KnownPerson) -> str:
    platform = person.tenant.partition(":")[0]
    return f"{platform}:{person.id}"


async def _known_as(context: Context, word: str) -> list[KnownPerson]:
    people = await context.people.known_as(word)
    web = context.chats.get("web")
    if web is not None:
        profile = await web.recall_person(TENANT, word)
        is_new = TENANT not in {person.tenant for person in people}
        if profile["name"] and is_new:
            name = str(profile["name"])
            people.append(KnownPerson(tenant=TENANT, id=word, name=name))
    # An id comes before a name, which anybody may take.
    by_id = [person for person in people if person.id == word]
    return by_id or people


@asynccontextmanager
async def open_data(
    config: settings.Settings, *, with_platforms: bool
) -> AsyncIterator[OpenData]:
    """Open the stored data, beside a running Easel or without one."""
    config.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    keyring = await wiring.migrate(config)
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(wiring.open_database(config))
        use_keyring(engine, keyring)
        blobs = open_blobs(config.blobs)
        chats: dict[str, Chat] = {}
        if with_platforms:
            platforms = await run.open_platforms(stack, config, engine)
            chats |= platforms.open_chats(blobs)
        chats |= await _open_room(stack, config, blobs)
        pool = SameProcess()
        stack.callback(pool.close)
        context = Context(
            store=Store(engine),
            reactions=ReactionStore(engine),
            drafts=DraftStore(engine),
            people=PeopleStore(engine),
            links=Links(link_keys(config), config.public_url or ""),
            blobs=blobs,
            catalog=load_catalog(),
            providers={},
            chats=chats,
            clock=WallClock(),
            pool=pool,
        )
        yield OpenData(context=context, engine=engine)


async def _open_room(
    stack: AsyncExitStack, config: settings.Settings, blobs: Blobs
) -> dict[str, Chat]:
    """The room, where there ever was one."""
    if not (config.data_dir / "room.db").exists():
        return {}
    await database.migrate(room_url(config.data_dir), database.TableSet.ROOM)
    room = Room.at(config.data_dir)
    stack.push_async_callback(room.close)
    return {"web": WebChat(room, blobs)}


def _say(
    config: settings.Settings, key: str, code: ExitCode, **facts: object
) -> int:
    text = translate(key, config.locale, **facts)
    click.echo(text, err=code is not ExitCode.OK)
    return code
