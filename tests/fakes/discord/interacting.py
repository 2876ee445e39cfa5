"""Interactions as Discord sends them.

Commands with resolved options, presses, filled modals, context menus.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.fakes.discord import payloads
from tests.fakes.discord.things import (
    ADMINISTRATOR,
    AUTOCOMPLETE,
    COMMAND,
    COMPONENT,
    DM,
    MODAL,
    ORDINARY,
    Channel,
    Event,
    Interaction,
    Json,
    Message,
    User,
    walk,
)
from tests.fakes.discord.world import World

SUBCOMMAND, GROUP = 1, 2
USER, CHANNEL, ROLE, MENTIONABLE, ATTACHMENT = 6, 7, 8, 9, 11
RESOLVED = {5: "users", 6: "roles", 7: "users", 8: "channels"}
Files = Mapping[str, Path | bytes]


class Resolved:
    """The things an interaction names by id."""

    def __init__(self, world: World, channel: Channel) -> None:
        self.world = world
        self.channel = channel
        self.found: dict[str, Json] = {}

    def file(self, name: str, data: Path | bytes) -> str:
        """A picture someone uploads; it is there for a while only."""
        name = data.name if isinstance(data, Path) else name
        content = data.read_bytes() if isinstance(data, Path) else data
        gone = self.world.now() + self.world.ephemeral_life
        attachment = self.world.attach(
            name, content, self.channel.id, gone=gone
        )
        self.found.setdefault("attachments", {})[attachment.id] = (
            payloads.attachment(self.world, attachment)
        )
        return attachment.id

    def user(self, user: User) -> str:
        """A person, and the member they are."""
        self.found.setdefault("users", {})[user.id] = payloads.user(user)
        guild = self.world.guilds.get(self.channel.guild)
        if guild and (user.id in guild.permissions or user is self.world.bot):
            payload = payloads.member(self.world, guild, user, full=False)
            permissions = guild.permissions.get(user.id, guild.bot_permissions)
            self.found.setdefault("members", {})[user.id] = {
                **payload,
                "permissions": str(permissions),
            }
        return user.id

    def place(self, channel: Channel) -> str:
        """A channel."""
        self.found.setdefault("channels", {})[channel.id] = (
            payloads.partial_channel(self.world, channel, ORDINARY)
        )
        return channel.id

    def any(self, value: Any, name: str) -> Any:
        """A value as it stands in a payload."""
        if isinstance(value, User):
            return self.user(value)
        if isinstance(value, Channel):
            return self.place(value)
        return (
            self.file(f"{name}.png", value)
            if isinstance(value, Path | bytes)
            else value
        )


class Interacting:
    """Makes interactions and tells the gateway."""

    def __init__(self, world: World) -> None:
        self.world = world

    def begin(
        self,
        kind: int,
        user: User,
        channel: Channel,
        data: Json,
        message: Message | None = None,
    ) -> Interaction:
        """A new interaction is sent to the app."""
        guild = self.world.guilds.get(channel.guild)
        # A user install stands in for a guild that has not installed the app.
        is_guild = guild is not None and guild.installed
        owners = (
            {"0": guild.id}
            if guild is not None and is_guild
            else {"1": user.id}
        )
        if guild is None and channel.kind == DM:
            owners = {"0": "0"}
        number = self.world.number()
        interaction = Interaction(
            id=number,
            token=f"interaction-token-{number}",
            kind=kind,
            user=user.id,
            channel=channel.id,
            guild=channel.guild,
            created=self.world.now(),
            name=str(data.get("name") or ""),
            command_type=data.get("type", 1),
            owners=owners,
            message=message,
        )
        self.world.interactions[number] = interaction
        payload = self._payload(interaction, user, channel, data)
        self.world.publish(
            Event(
                name="INTERACTION_CREATE",
                data=payload,
                guild=channel.guild,
                channel=channel.id,
            )
        )
        return interaction

    def _payload(
        self, made: Interaction, user: User, channel: Channel, data: Json
    ) -> Json:
        guild = self.world.guilds.get(channel.guild)
        limit = (
            guild.upload_limit if guild else self.world.upload_limit(channel)
        )
        payload: Json = {
            "id": made.id,
            "application_id": self.world.app,
            "type": made.kind,
            "token": made.token,
            "version": 1,
            "data": data,
            "channel_id": channel.id,
            "channel": payloads.partial_channel(self.world, channel, ORDINARY),
            "locale": user.locale,
            "app_permissions": str(
                payloads.app_permissions(self.world, channel)
            ),
            "entitlements": [],
            "authorizing_integration_owners": made.owners,
            "context": _context(channel),
            "attachment_size_limit": max(limit, user.upload_limit),
        }
        if made.message is not None:
            payload["message"] = payloads.message(self.world, made.message)
        if guild is None:
            return {**payload, "user": payloads.user(user)}
        member = payloads.member(self.world, guild, user)
        return {
            **payload,
            "guild_id": guild.id,
            "guild": {"id": guild.id, "locale": guild.locale, "features": []},
            "guild_locale": guild.locale,
            "member": {
                **member,
                "permissions": str(guild.permissions.get(user.id, ORDINARY)),
            },
        }

    # Commands

    def command(
        self,
        user: User,
        words: str,
        options: Mapping[str, Any],
        *,
        channel: Channel,
        files: Files | None = None,
        focused: str = "",
    ) -> Interaction:
        """A slash command, subcommands after spaces; an autocomplete when an option has the focus.

        Options the app has not registered are sent as they are, as an old client would.
        """
        resolved = Resolved(self.world, channel)
        name, *sub = words.split()
        registered = self._registered_command(name, 1, channel)
        self._may_use(user, registered, channel)
        registration = dict(
            registered or {"id": self.world.number(), "options": []}
        )
        level, group = registration.get("options") or [], []
        for part in sub:
            known_option = next(
                (spec for spec in level if spec["name"] == part),
                {"type": SUBCOMMAND, "options": []},
            )
            level = known_option.get("options") or []
            group.append((part, known_option["type"]))
        kinds = {spec["name"]: spec["type"] for spec in level}
        filled = [
            self._option(resolved, kinds, key, option, focused)
            for key, option in options.items()
        ]
        filled += [
            {
                "name": key,
                "type": ATTACHMENT,
                "value": resolved.file(key, value),
            }
            for key, value in (files or {}).items()
        ]
        for part, kind in reversed(group):
            filled = [{"name": part, "type": kind, "options": filled}]
        payload: Json = {
            "id": registration["id"],
            "name": name,
            "type": 1,
            "options": filled,
        }
        if resolved.found:
            payload["resolved"] = resolved.found
        if registered and registered.get("guild_id"):
            payload["guild_id"] = registered["guild_id"]
        return self.begin(
            AUTOCOMPLETE if focused else COMMAND, user, channel, payload
        )

    def _option(
        self,
        resolved: Resolved,
        known: Mapping[str, int],
        name: str,
        value: Any,
        focused: str,
    ) -> Json:
        """An option's payload; of an unregistered one the type is guessed from its value."""
        sent = resolved.any(value, name)
        kind = known.get(name) or _kind(value)
        option = {"name": name, "type": kind, "value": sent}
        return {**option, "focused": True} if name == focused else option

    def _registered_command(
        self, name: str, kind: int, channel: Channel
    ) -> Json | None:
        for scope in (channel.guild, ""):
            for command in self.world.commands.get(scope, []):
                if command["name"] == name and command["type"] == kind:
                    return command
        return None

    def _may_use(
        self, user: User, command: Json | None, channel: Channel
    ) -> None:
        """No one can send a command they are not shown."""
        guild = self.world.guilds.get(channel.guild)
        assert not channel.archived, (
            "nobody can use commands in an archived thread"
        )
        if command is None:
            return
        contexts, needed = (
            command.get("contexts"),
            int(command.get("default_member_permissions") or 0),
        )
        assert contexts is None or _context(channel) in contexts, (
            f"{command['name']} is not offered here"
        )
        if guild and command.get("default_member_permissions") is not None:
            has = guild.permissions.get(user.id, 0)
            is_shown = has & ADMINISTRATOR or (
                needed and has & needed == needed
            )
            assert is_shown, f"{user.name} is not shown {command['name']}"

    def context_menu(
        self, user: User, name: str, target: Message | User, channel: Channel
    ) -> Interaction:
        """Send a command of a message's or a person's menu.

        The message comes in full, regardless of intents.
        """
        resolved = Resolved(self.world, channel)
        if isinstance(target, User):
            kind = 2
            resolved.user(target)
        else:
            kind = 3
            resolved.found["messages"] = {
                target.id: payloads.message(self.world, target)
            }
        registration = self._registered_command(name, kind, channel) or {
            "id": self.world.number()
        }
        self._may_use(user, registration, channel)
        payload = {
            "id": registration["id"],
            "name": name,
            "type": kind,
            "target_id": target.id,
            "resolved": resolved.found,
        }
        return self.begin(COMMAND, user, channel, payload)

    # Components and modals

    def press(
        self,
        user: User,
        message: Message,
        what: Json,
        values: Sequence[Any],
        channel: Channel,
    ) -> Interaction:
        """A button, or what is chosen in a menu."""
        payload: Json = {
            "custom_id": what["custom_id"],
            "component_type": what["type"],
            "id": what.get("id", 1),
        }
        if what["type"] != 2:
            resolved = Resolved(self.world, channel)
            payload["values"] = [resolved.any(choice, "") for choice in values]
            if what["type"] in RESOLVED:
                payload["resolved"] = resolved.found
        return self.begin(COMPONENT, user, channel, payload, message)

    def submit(
        self,
        opened: Interaction,
        user: User,
        modal: Json,
        fields: Mapping[str, Any],
    ) -> Interaction:
        """Send a modal back.

        Fields are by custom_id: text, a choice or choices, True, files, people or channels.
        """
        channel = self.world.channels[opened.channel]
        resolved = Resolved(self.world, channel)
        unknown = set(fields) - {
            field["custom_id"]
            for field in walk(modal["components"])
            if "custom_id" in field
        }
        assert not unknown, f"the modal has no {unknown}"
        components = [
            _filled_label(component, number, fields, resolved)
            for number, component in enumerate(modal["components"], 1)
        ]
        payload = {
            "custom_id": modal["custom_id"],
            "components": components,
            "resolved": resolved.found,
        }
        return self.begin(MODAL, user, channel, payload, opened.message)


def _context(channel: Channel) -> int:
    """A guild, a direct message with the bot, or one among people."""
    return 0 if channel.guild else {DM: 1}.get(channel.kind, 2)


def _filled_label(
    one: Json, number: int, fields: Mapping[str, Any], resolved: Resolved
) -> Json:
    payload: Json = {"type": one["type"], "id": one.get("id", number)}
    if one["type"] == 18:
        payload["component"] = _fill_component(
            one["component"], number + 100, fields, resolved
        )
    return payload


def _fill_component(
    content: Json, number: int, fields: Mapping[str, Any], resolved: Resolved
) -> Json:
    """A field with what the person gave, or what stood there already."""
    kind, name = content["type"], content["custom_id"]
    payload: Json = {
        "type": kind,
        "id": content.get("id", number),
        "custom_id": name,
    }
    field = fields.get(name)
    chosen = [
        option["value"]
        for option in content.get("options", [])
        if option.get("default")
    ]
    if kind == 4:
        return {
            **payload,
            "value": content.get("value") or "" if field is None else field,
        }
    if kind == 23:
        return {
            **payload,
            "value": bool(content.get("default")) if field is None else field,
        }
    if kind == 21:
        return {
            **payload,
            "value": (chosen or [None])[0]
            if field is None
            else _chosen(content, [field])[0],
        }
    if kind == 19:
        return {
            **payload,
            "values": [
                resolved.file(f"{name}.png", content)
                for content in _many(field)
            ],
        }
    if kind in {3, 22}:
        return {
            **payload,
            "values": chosen
            if field is None
            else _chosen(content, _many(field)),
        }
    preset = [
        str(default["id"]) for default in content.get("default_values", [])
    ]
    return {
        **payload,
        "values": preset
        if field is None
        else [resolved.any(choice, name) for choice in _many(field)],
    }


def _chosen(one: Json, wanted: Sequence[str]) -> list[str]:
    """Values of options, each named by its label or its value."""
    by_name = {option["label"]: option["value"] for option in one["options"]}
    values = [by_name.get(label, label) for label in wanted]
    assert set(values) <= set(by_name.values()), (
        f"{wanted} is not offered: {by_name}"
    )
    return values


def _many(value: Any) -> Sequence[Any]:
    if value is None:
        return []
    return value if isinstance(value, list | tuple) else [value]


def _kind(value: Any) -> int:
    if isinstance(value, User):
        return USER
    if isinstance(value, Channel):
        return CHANNEL
    if isinstance(value, Path | bytes):
        return ATTACHMENT
    return {bool: 5, int: 4, float: 10}.get(type(value), 3)
