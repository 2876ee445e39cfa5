"""Discord's documented limits of messages, components, modals and commands."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]
V2 = 1 << 15
NAME = re.compile(r"^[-_'\w]{1,32}$")
LOCALES = frozenset(
    re.findall(
        r"\S+",
        "id da de en-GB en-US es-ES es-419 fr hr it lt hu nl no pl pt-BR ro fi sv-SE vi tr cs el "
        "bg ru uk hi th zh-CN "
        "ja zh-TW ko",
    )
)
V2_TOP = frozenset({1, 9, 10, 12, 13, 14, 17})
SELECTS = frozenset({3, 5, 6, 7, 8})
IN_LABEL = frozenset({4, 19, 21, 22, 23}) | SELECTS
EMBEDDED = frozenset({"jpg", "jpeg", "png", "webp", "gif"})


class Wrong(Exception):
    """A limit is broken; the text says which."""


def need(fact: object, what: str) -> None:
    if not fact:
        raise Wrong(what)


def length(text: Any, least: int, most: int, what: str) -> None:
    need(isinstance(text, str), f"{what} is no text")
    need(
        least <= len(text) <= most,
        f"{what}: {least} to {most} characters, not {len(text)}",
    )


# Messages


def message(
    body: Json,
    files: Sequence[str],
    flags: int,
    *,
    attached: Sequence[str] = (),
) -> None:
    """Check a message to be posted or edited.

    ``files`` are the names of its uploads, ``attached`` those that an edited one keeps.
    """
    content, embeds, components = (
        body.get("content") or "",
        body.get("embeds") or [],
        body.get("components") or [],
    )
    length(content, 0, 2000, "content")
    nonce = body.get("nonce")
    need(nonce is None or len(str(nonce)) <= 25, "nonce is longer than 25")
    need(
        body.get("enforce_nonce") is not True or nonce,
        "enforce_nonce without a nonce",
    )
    check_attachments(body, files, attached)
    names = [*files, *attached]
    if flags & V2:
        need(
            not content
            and not embeds
            and not body.get("poll")
            and not body.get("sticker_ids"),
            "V2 with old fields",
        )
        components_v2(components, names)
    else:
        check_embeds(embeds, names)
        classic(components)
    if body.get("allowed_mentions"):
        mentions(body["allowed_mentions"])


def check_attachments(
    body: Json, files: Sequence[str], attached: Sequence[str]
) -> None:
    """At most ten in all, each upload told of at most once."""
    attachments = body.get("attachments") or []
    need(
        len(files) <= 10
        and len(attachments) <= 10
        and len(files) + len(attached) <= 10,
        "more than 10 attachments",
    )
    need(
        all(
            len(attachment.get("description") or "") <= 1024
            for attachment in attachments
        ),
        "an attachment's description over 1024",
    )
    ids = [str(attachment["id"]) for attachment in attachments]
    need(len(ids) == len(set(ids)), "an attachment's id twice")


def check_embeds(embeds: Sequence[Json], names: Sequence[str]) -> None:
    """Ten, 6000 characters in all, and pictures only of what is uploaded."""
    need(len(embeds) <= 10, "more than 10 embeds")
    for embed in embeds:
        for name, most in (("title", 256), ("description", 4096)):
            length(embed.get(name) or "", 0, most, f"embed {name}")
        length(
            (embed.get("footer") or {}).get("text", ""),
            0,
            2048,
            "embed footer",
        )
        length(
            (embed.get("author") or {}).get("name", ""), 0, 256, "embed author"
        )
        fields = embed.get("fields") or []
        need(len(fields) <= 25, "more than 25 embed fields")
        for field in fields:
            length(field.get("name"), 1, 256, "embed field name")
            length(field.get("value"), 1, 1024, "embed field value")
        for name in ("image", "thumbnail"):
            _picture((embed.get(name) or {}).get("url", ""), names)
    need(sum(map(embed_size, embeds)) <= 6000, "embeds over 6000 characters")


def embed_size(one: Json) -> int:
    """What counts towards the 6000."""
    said = [
        one.get("title"),
        one.get("description"),
        (one.get("footer") or {}).get("text"),
    ]
    said.append((one.get("author") or {}).get("name"))
    for field in one.get("fields") or []:
        said += [field["name"], field["value"]]
    return sum(len(text or "") for text in said)


def _picture(url: str, names: Sequence[str]) -> None:
    if url.startswith("attachment://"):
        name = url.removeprefix("attachment://")
        need(name in names, f"{url} is not uploaded")
        need(
            name.rpartition(".")[2].lower() in EMBEDDED,
            f"{url} cannot be shown",
        )


def mentions(found: Json) -> None:
    """allowed_mentions."""
    parse = found.get("parse") or []
    need(
        set(parse) <= {"users", "roles", "everyone"}, "allowed_mentions.parse"
    )
    for name in ("users", "roles"):
        need(len(found.get(name) or []) <= 100, f"over 100 allowed {name}")
        need(
            name not in parse or not found.get(name),
            f"allowed_mentions: {name} in parse and by id",
        )


# Components


def classic(rows: Sequence[Json]) -> None:
    """Five rows of five buttons or one menu."""
    need(len(rows) <= 5, "more than 5 rows")
    need(
        all(row.get("type") == 1 for row in rows), "a component outside a row"
    )
    for row in rows:
        action_row(row)
    unique(rows)


def action_row(row: Json) -> None:
    """Five buttons or one menu."""
    inside = row.get("components") or []
    need(1 <= len(inside) <= 5, "a row has 1 to 5 components")
    kinds = {component.get("type") for component in inside}
    need(
        kinds == {2} or (len(inside) == 1 and kinds <= SELECTS),
        "a row has buttons or one menu",
    )
    for component in inside:
        button(component) if component["type"] == 2 else select(component)


def button(one: Json) -> None:
    style = one.get("style")
    need(style in {1, 2, 3, 4, 5, 6}, "button style")
    length(one.get("label") or "", 0, 80, "button label")
    need(
        style == 6 or one.get("label") or one.get("emoji"),
        "a button without label and emoji",
    )
    if style == 5:
        need("custom_id" not in one, "a link with custom_id")
        length(one.get("url"), 1, 512, "button url")
    elif style != 6:
        length(one.get("custom_id"), 1, 100, "custom_id")


def select(one: Json) -> None:
    length(one.get("custom_id"), 1, 100, "custom_id")
    length(one.get("placeholder") or "", 0, 150, "placeholder")
    most = bounds(one, 25)
    if one["type"] == 3:
        options = one.get("options") or []
        choices(options, 1, 25)
        need(most <= len(options), "max_values over the number of options")
        need(
            sum(bool(option.get("default")) for option in options) <= most,
            "more defaults than max_values",
        )


def bounds(one: Json, limit: int) -> int:
    """min_values and max_values; how many at most."""
    least, most = one.get("min_values"), one.get("max_values")
    least, most = 1 if least is None else least, 1 if most is None else most
    need(
        0 <= least <= limit and 1 <= most <= limit and least <= most,
        "min_values, max_values",
    )
    return int(most)


def choices(options: Sequence[Json], least: int, most: int) -> None:
    """Options of menus, radio and checkbox groups."""
    need(
        least <= len(options) <= most,
        f"{least} to {most} options, not {len(options)}",
    )
    for option in options:
        length(option.get("label"), 1, 100, "option label")
        length(option.get("value"), 1, 100, "option value")
        length(option.get("description") or "", 0, 100, "option description")
    values = [option["value"] for option in options]
    need(len(values) == len(set(values)), "an option's value twice")


def unique(components: Sequence[Json]) -> None:
    ids = [
        component["custom_id"]
        for component in each(components)
        if component.get("custom_id")
    ]
    need(len(ids) == len(set(ids)), "custom_id twice in one message")


def each(components: Sequence[Json]) -> Iterator[Json]:
    """Every component, those inside others too."""
    for component in components:
        yield component
        inside = [
            component[name]
            for name in ("accessory", "component")
            if component.get(name)
        ]
        yield from each([*(component.get("components") or []), *inside])


def components_v2(components: Sequence[Json], names: Sequence[str]) -> None:
    """At most 40 in all, 4000 characters of text, files only of what is uploaded."""
    need(components, "V2 without components")
    whole = list(each(components))
    need(len(whole) <= 40, f"{len(whole)} components, over 40")
    need(
        sum(
            len(part.get("content") or "")
            for part in whole
            if part["type"] == 10
        )
        <= 4000,
        "over 4000 characters",
    )
    need(
        all(component.get("type") in V2_TOP for component in components),
        "no such component at the top",
    )
    for part in whole:
        check = _V2.get(part["type"])
        if check:
            check(part, names)
    unique(components)


def _section(one: Json, _: Sequence[str]) -> None:
    inside = one.get("components") or []
    need(
        1 <= len(inside) <= 3 and all(text["type"] == 10 for text in inside),
        "a section has 1 to 3 texts",
    )
    need(
        (one.get("accessory") or {}).get("type") in {2, 11},
        "a section needs a button or a thumbnail",
    )
    if one["accessory"]["type"] == 2:
        button(one["accessory"])


def _gallery(one: Json, names: Sequence[str]) -> None:
    items = one.get("items") or []
    need(1 <= len(items) <= 10, "a gallery has 1 to 10 pictures")
    for entry in items:
        length(entry.get("description") or "", 0, 1024, "gallery description")
        _media(entry.get("media"), names)


def _file(one: Json, names: Sequence[str]) -> None:
    need(
        one["file"]["url"].startswith("attachment://"),
        "a file component shows uploads only",
    )
    _media(one["file"], names)


def _media(media: Any, names: Sequence[str]) -> None:
    url = (media or {}).get("url", "")
    need(url, "media without url")
    if url.startswith("attachment://"):
        need(
            url.removeprefix("attachment://") in names,
            f"unfurled media attachment not found: {url}",
        )


def _container(one: Json, _: Sequence[str]) -> None:
    inside = one.get("components") or []
    need(
        inside
        and all(component["type"] in V2_TOP - {17} for component in inside),
        "a container's components",
    )


_V2: dict[int, Callable[[Json, Sequence[str]], None]] = {
    1: lambda one, _: action_row(one),
    9: _section,
    10: lambda one, _: length(one.get("content"), 1, 4000, "text display"),
    11: lambda one, names: _media(one.get("media"), names),
    12: _gallery,
    13: _file,
    17: _container,
}


# Modals


def modal(found: Json) -> None:
    """Title 45, one to five components, each in a label."""
    length(found.get("title"), 1, 45, "modal title")
    length(found.get("custom_id"), 1, 100, "modal custom_id")
    components = found.get("components") or []
    need(
        1 <= len(components) <= 5,
        f"a modal has 1 to 5 components, not {len(components)}",
    )
    for component in components:
        kind = component.get("type")
        need(
            kind in {10, 18}, f"component {kind} in a modal stands in no label"
        )
        if kind == 18:
            length(component.get("label"), 1, 45, "label")
            length(
                component.get("description") or "", 0, 100, "label description"
            )
            field(component.get("component") or {})
    unique(components)


def field(one: Json) -> None:
    """What a label holds."""
    kind = one.get("type")
    need(kind in IN_LABEL, f"component {kind} in a label")
    length(one.get("custom_id"), 1, 100, "custom_id")
    if kind == 4:
        text_input(one)
    elif kind in SELECTS:
        select(one)
        need(not one.get("disabled"), "a disabled menu in a modal")
    elif kind == 19:
        bounds(one, 10)
    elif kind in {21, 22}:
        choices(one.get("options") or [], 2 if kind == 21 else 1, 10)
        need(
            kind == 21 or one.get("max_values") is None or bounds(one, 10),
            "max_values",
        )


def text_input(one: Json) -> None:
    need(one.get("style") in {1, 2}, "text input style")
    need(
        not one.get("label"), "a text input in a label has no label of its own"
    )
    least, most = one.get("min_length") or 0, one.get("max_length") or 4000
    need(
        0 <= least <= 4000 and 1 <= most <= 4000 and least <= most,
        "text input min_length, max_length",
    )
    length(one.get("placeholder") or "", 0, 100, "text input placeholder")
    if one.get("value"):
        length(one["value"], least, most, "text input value")


# Commands


def commands(registered: Sequence[Json]) -> None:
    """All commands of one scope."""
    for kind, most in ((1, 100), (2, 15), (3, 15)):
        named = [
            entry["name"]
            for entry in registered
            if entry.get("type", 1) == kind
        ]
        need(len(named) <= most, f"more than {most} commands of type {kind}")
        need(len(named) == len(set(named)), "a command's name twice")
    for entry in registered:
        command(entry)


def command(one: Json) -> None:
    kind = one.get("type", 1)
    if kind != 1:
        length(one.get("name"), 1, 32, "command name")
        need(
            not one.get("description") and not one.get("options"),
            "a context menu takes no description, no options",
        )
        return
    need(
        command_size(one) <= 8000,
        f"{one['name']}: {command_size(one)} characters, over 8000",
    )
    check_texts(one)
    options(one.get("options") or [], 0)


def check_texts(one: Json) -> None:
    """Name and description, in every language."""
    names = {"": one.get("name"), **(one.get("name_localizations") or {})}
    texts = {
        "": one.get("description"),
        **(one.get("description_localizations") or {}),
    }
    need(
        set(names) | set(texts) <= LOCALES | {""},
        f"no such locale: {(set(names) | set(texts)) - LOCALES}",
    )
    for name in names.values():
        need(NAME.match(name or "") and name == name.lower(), f"name {name!r}")
    for text in texts.values():
        length(text, 1, 100, f"description of {one['name']}")


def options(listed: Sequence[Json], depth: int) -> None:
    need(len(listed) <= 25, "more than 25 options")
    names = [entry["name"] for entry in listed]
    need(len(names) == len(set(names)), "an option's name twice")
    plain = [
        bool(entry.get("required")) for entry in listed if entry["type"] > 2
    ]
    need(plain == sorted(plain, reverse=True), "required options come first")
    need(not plain or len(plain) == len(listed), "subcommands beside options")
    for entry in listed:
        check_texts(entry)
        if entry["type"] <= 2:
            need(
                depth == 0 or (depth == 1 and entry["type"] == 1),
                "subcommands nested too deep",
            )
            options(
                entry.get("options") or [],
                depth + 1 if entry["type"] == 2 else 2,
            )
        else:
            option(entry)


def option(spec: Json) -> None:
    """Its choices and bounds."""
    choices = spec.get("choices") or []
    need(len(choices) <= 25, "more than 25 choices")
    need(
        not (choices and spec.get("autocomplete")), "choices and autocomplete"
    )
    for choice in choices:
        check_choice(choice, spec["type"])
    for name in ("min_length", "max_length"):
        need(
            spec.get(name) is None
            or (spec["type"] == 3 and 0 <= spec[name] <= 6000),
            name,
        )
    for name in ("min_value", "max_value"):
        need(
            spec.get(name) is None
            or (spec["type"] in {4, 10} and abs(spec[name]) <= 2**53),
            name,
        )


def check_choice(choice: Json, kind: int) -> None:
    """A choice of an option, or of autocomplete."""
    for name in [
        choice.get("name"),
        *(choice.get("name_localizations") or {}).values(),
    ]:
        length(name, 1, 100, "choice name")
    if kind == 3:
        length(choice.get("value"), 1, 100, "choice value")


def autocomplete(found: Sequence[Json]) -> None:
    need(len(found) <= 25, "more than 25 choices")
    for choice in found:
        check_choice(choice, 3 if isinstance(choice.get("value"), str) else 4)


def command_size(one: Json) -> int:
    """Characters of names, descriptions and values, the longest language of each."""

    def longest(name: str, found: Json) -> int:
        texts = [
            found.get(name) or "",
            *(found.get(f"{name}_localizations") or {}).values(),
        ]
        return max(map(len, texts))

    def size(found: Json) -> int:
        own = longest("name", found) + longest("description", found)
        values = sum(
            longest("name", choice) + len(str(choice["value"]))
            for choice in found.get("choices") or []
        )
        return (
            own
            + values
            + sum(size(inner) for inner in found.get("options") or [])
        )

    return size(one)


def thread_name(body: Json) -> None:
    length(body.get("name"), 1, 100, "thread name")
    need(
        body.get("auto_archive_duration", 60) in {60, 1440, 4320, 10080, None},
        "auto_archive_duration",
    )


def gateway(text: str) -> None:
    """What a client sends over the gateway."""
    need(len(text.encode()) <= 4096, "a gateway payload over 4096 bytes")
    need(
        isinstance(json.loads(text), dict),
        "a gateway payload that is no object",
    )
