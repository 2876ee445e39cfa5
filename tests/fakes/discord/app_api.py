"""REST of the app itself, its commands, guilds and members."""

from tests.fakes.discord import limits, payloads
from tests.fakes.discord.rest import Asked, Route
from tests.fakes.discord.things import Guild, Json, No
from tests.fakes.discord.world import World

ENTRY_POINT = 4
COMMANDS = "/applications/{application_id}/commands"
GUILD_COMMANDS = "/applications/{application_id}/guilds/{guild_id}/commands"


class AppApi:
    """Who the bot is, what it may be asked, and where it is a member.

    ``shards``: as many as Discord recommends.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.shards = 1
        self.identifies = 0

    def routes(self) -> list[Route]:
        """Where everything is."""
        return [
            ("GET", "/users/@me", self.get_my_user),
            ("GET", "/users/{user_id}", self.get_user),
            (
                "GET",
                "/oauth2/applications/@me",
                self.get_my_oauth2_application,
            ),
            ("GET", "/applications/@me", self.get_my_application),
            ("GET", "/gateway", self.get_gateway),
            ("GET", "/gateway/bot", self.get_bot_gateway),
            ("GET", COMMANDS, self.list_application_commands),
            ("PUT", COMMANDS, self.bulk_set_application_commands),
            ("GET", GUILD_COMMANDS, self.list_guild_application_commands),
            ("PUT", GUILD_COMMANDS, self.bulk_set_guild_application_commands),
            ("GET", "/guilds/{guild_id}", self.get_guild),
            ("GET", "/guilds/{guild_id}/channels", self.list_guild_channels),
            (
                "GET",
                "/guilds/{guild_id}/members/{user_id}",
                self.get_guild_member,
            ),
            ("GET", "/users/@me/guilds", self.list_my_guilds),
            ("POST", "/attachments/refresh-urls", self.refresh_urls),
        ]

    def get_my_user(self, _: Asked) -> Json:
        return {
            **payloads.user(self.world.bot),
            "verified": True,
            "mfa_enabled": False,
            "email": None,
            "locale": "en",
        }

    def get_user(self, asked: Asked) -> Json:
        user = self.world.users.get(asked.where["user_id"])
        if user is None:
            raise No(404, 10013, "Unknown User")
        return payloads.user(user)

    def get_my_application(self, _: Asked) -> Json:
        owner = next(
            (user for user in self.world.users.values() if not user.is_bot),
            self.world.bot,
        )
        return {
            "id": self.world.app,
            "name": "Easel",
            "description": "",
            "icon": None,
            "bot_public": True,
            "bot_require_code_grant": False,
            "owner": payloads.user(owner),
            "team": None,
            "verify_key": "0" * 64,
            "flags": 1 << 19 if self.world.content_granted else 0,
            "integration_types_config": {"0": {}, "1": {}},
            "bot": payloads.user(self.world.bot),
        }

    def get_my_oauth2_application(self, asked: Asked) -> Json:
        return self.get_my_application(asked)

    @property
    def gateway_url(self) -> str:
        """Where the gateway is."""
        return f"{self.world.gateway_address}/gateway"

    def get_gateway(self, _: Asked) -> Json:
        return {"url": self.gateway_url}

    def get_bot_gateway(self, _: Asked) -> Json:
        limit = {
            "total": 1000,
            "remaining": 1000 - self.identifies,
            "reset_after": 86_400_000,
            "max_concurrency": 1,
        }
        return {
            "url": self.gateway_url,
            "shards": self.shards,
            "session_start_limit": limit,
        }

    # Commands

    def list_application_commands(self, asked: Asked) -> list[Json]:
        return self.world.commands.get("", [])

    def list_guild_application_commands(self, asked: Asked) -> list[Json]:
        return self.world.commands.get(self._guild(asked).id, [])

    def bulk_set_application_commands(self, asked: Asked) -> list[Json]:
        return self._sync(asked, "")

    def bulk_set_guild_application_commands(self, asked: Asked) -> list[Json]:
        return self._sync(asked, self._guild(asked).id)

    def _sync(self, asked: Asked, scope: str) -> list[Json]:
        """All commands of a scope, replaced; those of the same name keep their id."""
        if asked.where["application_id"] != self.world.app:
            raise No(
                403,
                20012,
                "You are not authorized to perform this action on this application",
            )
        had = [
            command["id"]
            for command in self.world.commands.get(scope, [])
            if command["type"] == ENTRY_POINT
        ]
        told = [
            command
            for command in asked.body
            if command.get("type") != ENTRY_POINT
        ]
        if had and len(told) == len(asked.body):
            raise No(400, 50240, "You cannot remove this app's Entry Point")
        self.world.check("commands", limits.commands, told)
        ids = {
            (command["type"], command["name"]): command["id"]
            for command in self.world.commands.get(scope, [])
        }
        self.world.syncs[scope] += 1
        self.world.commands[scope] = [
            self._command(command, scope, ids) for command in asked.body
        ]
        return self.world.commands[scope]

    def _command(
        self, one: Json, scope: str, ids: dict[tuple[int, str], str]
    ) -> Json:
        kind = one.get("type") or 1
        command = {
            "description": "",
            "options": [],
            "default_member_permissions": None,
            "dm_permission": True,
            "nsfw": False,
            "contexts": None,
            "integration_types": [0],
            "name_localizations": None,
            "description_localizations": None,
            **one,
            "id": ids.get((kind, one["name"])) or self.world.number(),
            "type": kind,
            "application_id": self.world.app,
            "version": self.world.number(),
        }
        return {**command, "guild_id": scope} if scope else command

    # Guilds

    def _guild(self, asked: Asked) -> Guild:
        guild = self.world.guilds.get(asked.where["guild_id"])
        if guild is None:
            raise No(404, 10004, "Unknown Guild")
        if not guild.installed:
            raise No(403, 50001, "Missing Access")
        return guild

    def get_guild(self, asked: Asked) -> Json:
        unlisted = {
            "channels",
            "threads",
            "members",
            "voice_states",
            "presences",
            "joined_at",
            "large",
            "unavailable",
        }
        payload = payloads.guild(self.world, self._guild(asked))
        return {
            name: value
            for name, value in payload.items()
            if name not in unlisted
        }

    def list_guild_channels(self, asked: Asked) -> list[Json]:
        channels: list[Json] = payloads.guild(self.world, self._guild(asked))[
            "channels"
        ]
        return channels

    def list_my_guilds(self, _: Asked) -> list[Json]:
        mine = [
            guild for guild in self.world.guilds.values() if guild.installed
        ]
        return [
            {
                "id": one.id,
                "name": one.name,
                "icon": None,
                "banner": None,
                "owner": False,
                "permissions": str(one.bot_permissions),
                "features": [],
            }
            for one in mine
        ]

    def get_guild_member(self, asked: Asked) -> Json:
        guild, member = self._guild(asked), asked.where["user_id"]
        user = self.world.users.get(member)
        if user is None or (
            member not in guild.permissions and user is not self.world.bot
        ):
            raise No(404, 10007, "Unknown Member")
        return payloads.member(self.world, guild, user)

    def refresh_urls(self, asked: Asked) -> Json:
        """Undocumented, but it works for bots."""
        refreshed_urls = []
        for url in asked.json["attachment_urls"]:
            file = self.world.attachments.get(url.split("?")[0].split("/")[-2])
            refreshed = (
                self.world.link(file)
                if file and not file.is_ephemeral
                else url
            )
            refreshed_urls.append({"original": url, "refreshed": refreshed})
        return {"refreshed_urls": refreshed_urls}
