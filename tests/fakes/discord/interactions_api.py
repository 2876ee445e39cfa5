"""REST of interactions.

One acknowledgement within 3 s, and what the token allows for 15 minutes.
"""

import asyncio
from collections.abc import Callable

from tests.fakes.discord import limits
from tests.fakes.discord.posting import Posting
from tests.fakes.discord.rest import Asked, Route
from tests.fakes.discord.things import (
    AUTOCOMPLETE,
    COMMAND,
    COMPONENT,
    EPHEMERAL,
    LOADING,
    MODAL,
    USE_EXTERNAL_APPS,
    Interaction,
    Json,
    Message,
    No,
)
from tests.fakes.discord.world import TOKEN_LIFE, World

HOOK = "/webhooks/{webhook_id}/{webhook_token}"
ALLOWED = {
    COMMAND: {4, 5, 9},
    COMPONENT: {4, 5, 6, 7, 9},
    AUTOCOMPLETE: {8},
    MODAL: {4, 5, 6, 7},
}
"""Answers to each kind of interaction."""


class InteractionsApi:
    """Answers to interactions."""

    def __init__(self, world: World, posting: Posting) -> None:
        self.world = world
        self.posting = posting

    def routes(self) -> list[Route]:
        """Where everything is."""
        original, other = (
            f"{HOOK}/messages/@original",
            f"{HOOK}/messages/{{message_id}}",
        )
        return [
            (
                "POST",
                "/interactions/{interaction_id}/{interaction_token}/callback",
                self.create_interaction_response,
            ),
            ("GET", original, self.get_original_webhook_message),
            ("PATCH", original, self.update_original_webhook_message),
            ("DELETE", original, self.delete_original_webhook_message),
            ("POST", HOOK, self.execute_webhook),
            ("GET", other, self.get_webhook_message),
            ("PATCH", other, self.update_webhook_message),
            ("DELETE", other, self.delete_webhook_message),
        ]

    # The acknowledgement

    def create_interaction_response(self, asked: Asked) -> Json | None:
        interaction = self.world.interactions.get(
            asked.where["interaction_id"]
        )
        if (
            interaction is None
            or interaction.token != asked.where["interaction_token"]
        ):
            raise No(404, 10062, "Unknown interaction")
        if interaction.ack_type is not None:
            raise No(400, 40060, "Interaction has already been acknowledged.")
        if (
            interaction.refused
            or self.world.now() - interaction.created > self.world.patience
        ):
            interaction.refused = True
            raise No(404, 10062, "Unknown interaction")
        kind = int(asked.json["type"])
        self.world.check(
            "interaction response", _fits, asked.json, interaction
        )
        acts: dict[int, Callable[[Interaction, Asked, Json], None]] = {
            4: self._answer,
            5: self._defer,
            6: self._defer_update,
            7: self._update,
            8: self._complete,
            9: self._open,
        }
        acts[kind](interaction, asked, asked.json.get("data") or {})
        interaction.ack_type = kind
        interaction.ack_seconds = (
            asyncio.get_running_loop().time() - interaction.began
        )
        return (
            self._callback_payload(interaction, kind)
            if asked.query.get("with_response") in {"1", "true"}
            else None
        )

    def _callback_payload(self, interaction: Interaction, kind: int) -> Json:
        """The body with_response asks for."""
        about: Json = {"id": interaction.id, "type": interaction.kind}
        resource: Json = {"type": kind}
        if interaction.original is not None:
            about |= {
                "response_message_id": interaction.original.id,
                "response_message_loading": interaction.original.is_loading,
                "response_message_ephemeral": bool(
                    interaction.original.only_for
                ),
            }
            if kind in {4, 7}:
                resource["message"] = self.posting.shown(interaction.original)
        return {"interaction": about, "resource": resource}

    def _answer(
        self, interaction: Interaction, asked: Asked, data: Json
    ) -> None:
        interaction.original = self._post_answer(interaction, asked, data)

    def _defer(
        self, interaction: Interaction, asked: Asked, data: Json
    ) -> None:
        flags = int(data.get("flags") or 0) | self._forced_flags(interaction)
        self.world.check(
            "deferral",
            lambda found: limits.need(
                not flags & ~EPHEMERAL, "only EPHEMERAL"
            ),
            data,
        )
        message = self._blank(interaction)
        message.flags = LOADING | flags
        message.only_for = interaction.user if flags & EPHEMERAL else ""
        interaction.original = message
        interaction.messages.append(message)
        self.world.messages.append(message)
        self.posting.publish_message("MESSAGE_CREATE", message)

    def _defer_update(
        self, interaction: Interaction, asked: Asked, data: Json
    ) -> None:
        interaction.original = interaction.message

    def _update(
        self, interaction: Interaction, asked: Asked, data: Json
    ) -> None:
        assert interaction.message is not None
        interaction.original = self.posting.revise(
            interaction.message, asked, data
        )

    def _complete(
        self, interaction: Interaction, asked: Asked, data: Json
    ) -> None:
        choices = data.get("choices") or []
        self.world.check("autocomplete", limits.autocomplete, choices)
        interaction.choices = choices

    def _open(
        self, interaction: Interaction, asked: Asked, data: Json
    ) -> None:
        self.world.check("modal", limits.modal, data)
        interaction.modal = data

    def _forced_flags(self, interaction: Interaction) -> int:
        """Where people may not use apps that are not of the place, only they see the answers."""
        guild = self.world.guilds.get(interaction.guild)
        is_free = (
            guild is None
            or guild.installed
            or guild.permissions.get(interaction.user, 0) & USE_EXTERNAL_APPS
        )
        return 0 if is_free else EPHEMERAL

    def _blank(self, interaction: Interaction) -> Message:
        return Message(
            id=self.world.number(),
            channel=interaction.channel,
            guild=interaction.guild,
            author=self.world.bot.id,
            created=self.world.now(),
            kind=_message_kind(interaction),
            interaction=interaction,
        )

    def _post_answer(
        self, interaction: Interaction, asked: Asked, data: Json
    ) -> Message:
        message = self.posting.make(
            asked,
            self.world.channels[interaction.channel],
            interaction=interaction,
            body=data,
        )
        if self._forced_flags(interaction):
            message.flags |= EPHEMERAL
            message.only_for = interaction.user
        message.kind = _message_kind(interaction)
        if interaction.message is not None:
            message.reference = {
                "type": 0,
                "channel_id": interaction.channel,
                "message_id": interaction.message.id,
            }
            message.reference |= (
                {"guild_id": interaction.guild} if interaction.guild else {}
            )
        interaction.messages.append(message)
        return self.posting.post(message, data)

    # What the token allows

    def _interaction(self, asked: Asked) -> Interaction:
        token = asked.where["webhook_token"]
        begun = next(
            (
                interaction
                for interaction in self.world.interactions.values()
                if interaction.token == token
            ),
            None,
        )
        if begun is None or asked.where["webhook_id"] != self.world.app:
            raise No(404, 10015, "Unknown Webhook")
        if self.world.now() - begun.created > TOKEN_LIFE:
            raise No(401, 50027, "Invalid Webhook Token")
        if begun.ack_type is None:
            raise No(404, 10015, "Unknown Webhook")
        return begun

    def _original(self, asked: Asked) -> Message:
        message = self._interaction(asked).original
        if message is None or message.deleted:
            raise No(404, 10008, "Unknown Message")
        return message

    def _other(self, asked: Asked) -> Message:
        for message in self._interaction(asked).messages:
            if message.id == asked.where["message_id"] and not message.deleted:
                return message
        raise No(404, 10008, "Unknown Message")

    def get_original_webhook_message(self, asked: Asked) -> Json:
        return self.posting.shown(self._original(asked))

    def update_original_webhook_message(self, asked: Asked) -> Json:
        return self.posting.shown(
            self.posting.revise(self._original(asked), asked)
        )

    def delete_original_webhook_message(self, asked: Asked) -> None:
        self.posting.remove(self._original(asked))

    def get_webhook_message(self, asked: Asked) -> Json:
        return self.posting.shown(self._other(asked))

    def update_webhook_message(self, asked: Asked) -> Json:
        return self.posting.shown(
            self.posting.revise(self._other(asked), asked)
        )

    def delete_webhook_message(self, asked: Asked) -> None:
        self.posting.remove(self._other(asked))

    def execute_webhook(self, asked: Asked) -> Json:
        interaction = self._interaction(asked)
        if (
            interaction.ack_type == 5
            and interaction.original is not None
            and interaction.original.is_loading
            and not interaction.original.deleted
        ):
            self.world.deprecated.append(
                "a followup right after a deferral edits the loading message"
            )
            return self.posting.shown(
                self.posting.revise(interaction.original, asked)
            )
        interaction.followups += 1
        if "0" not in interaction.owners and interaction.followups > 5:
            raise No(
                400,
                40094,
                "This interaction has reached the maximum number of follow up messages",
            )
        return self.posting.shown(
            self._post_answer(interaction, asked, asked.json)
        )


def _message_kind(interaction: Interaction) -> int:
    """A reply to the message of a press; else of a slash command or of a menu's."""
    if interaction.message is not None:
        return 19
    return 20 if interaction.command_type == 1 else 23


def _fits(body: Json, interaction: Interaction) -> None:
    """Whether this kind of interaction may be answered so."""
    kind = body["type"]
    limits.need(
        kind in ALLOWED[interaction.kind],
        f"answer {kind} to an interaction of type {interaction.kind}",
    )
    limits.need(
        kind not in {6, 7} or interaction.message is not None,
        f"answer {kind} without a message",
    )
