"""Discord users: the language to speak to them in, and their direct messages."""

from cachetools import LRUCache

from adapters.discord.api import Api
from adapters.discord.channels import ChannelDirectory
from adapters.discord.store import DiscordStore
from core.i18n import negotiate
from core.incoming import Incoming
from core.types import Person

CACHE_SIZE = 10_000


class UserDirectory:
    """Languages and direct channels, cached. ``default``: the language of all others."""

    def __init__(
        self,
        api: Api,
        store: DiscordStore,
        channels: ChannelDirectory,
        default: str,
    ) -> None:
        self._api = api
        self._store = store
        self._channels = channels
        self._default = default
        self._locales: LRUCache[str, str] = LRUCache(CACHE_SIZE)
        self._direct_channels: LRUCache[str, str] = LRUCache(CACHE_SIZE)

    async def locale(self, incoming: Incoming) -> str:
        """Return the language to answer an event in.

        Commands and buttons name the person's language; messages do not, so it is remembered.
        """
        person = incoming.person.id
        remembered = await self._remembered_locale(person)
        if incoming.locale:
            locale = negotiate(incoming.locale)
            if locale != remembered:
                await self._store.save_locale(person, locale)
                self._locales[person] = locale
            return locale
        locale = remembered or await self._channels.locale(incoming.place)
        return negotiate(locale) if locale else self._default

    async def language(self, person: Person) -> str:
        """The language to speak to a person in, wherever that is."""
        return await self._remembered_locale(person.id) or self._default

    async def direct_channel(self, person: Person) -> str:
        """Open the direct message with a person. Raises DiscordError."""
        channel = self._direct_channels.get(person.id)
        if channel is None:
            answer = await self._api.call(
                "POST",
                "/users/@me/channels",
                {},
                {"recipient_id": person.id},
            )
            channel = str(answer["id"])
            self._direct_channels[person.id] = channel
        return channel

    def forget(self, person: str) -> None:
        """Forget the language and the direct channel of a person."""
        self._locales.pop(person, None)
        self._direct_channels.pop(person, None)

    async def _remembered_locale(self, person: str) -> str:
        """The language of their last command or button, "" before there was one."""
        locale = self._locales.get(person)
        if locale is None:
            locale = await self._store.locale_of(person)
            self._locales[person] = locale
        return locale
