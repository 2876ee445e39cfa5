"""What we know of people at Discord: their language, and where they are spoken to alone."""

from cachetools import LRUCache

from adapters.discord.api import Api
from adapters.discord.channels import ChannelDirectory
from adapters.discord.store import DiscordStore
from core.i18n import negotiate
from core.incoming import Incoming
from core.types import Person

MOST = 10_000


class UserDirectory:
    """Remembered. ``default``: the language of whoever has not told theirs."""

    def __init__(
        self, api: Api, store: DiscordStore, places: ChannelDirectory, default: str
    ) -> None:
        self._api = api
        self._store = store
        self._places = places
        self._default = default
        self._spoken: LRUCache[str, str] = LRUCache(MOST)
        self._direct: LRUCache[str, str] = LRUCache(MOST)

    async def locale(self, request: Incoming) -> str:
        """Commands and buttons tell the person's own.

        What they write afterwards is answered in the same.
        """
        person = request.person.id
        known = await self._spoken_by(person)
        if request.locale:
            wanted = negotiate(request.locale)
            if wanted != known:
                await self._store.save_locale(person, wanted)
                self._spoken[person] = wanted
            return wanted
        found = known or await self._places.locale(request.place)
        return negotiate(found) if found else self._default

    async def language(self, person: Person) -> str:
        """The one to speak to them in, whatever it is about."""
        return await self._spoken_by(person.id) or self._default

    async def direct(self, person: Person) -> str:
        """The channel of the direct message with them. Raises DiscordError."""
        channel = self._direct.get(person.id)
        if channel is None:
            opened = await self._api.call(
                "POST", "/users/@me/channels", {}, {"recipient_id": person.id}
            )
            channel = self._direct[person.id] = str(opened["id"])
        return channel

    async def _spoken_by(self, person: str) -> str:
        """Nothing while they never pressed or typed a command."""
        locale = self._spoken.get(person)
        if locale is None:
            locale = self._spoken[person] = await self._store.locale_of(person)
        return locale
