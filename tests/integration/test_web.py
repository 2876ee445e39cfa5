"""The web server over HTTP: the room's rules, odd requests, links, file names, hostile words."""

import asyncio
import errno
import io
import json
import os
import re
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing, suppress
from datetime import timedelta
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio
from PIL import Image

import adapters.web.health as health_module
import adapters.web.room as room_module
from adapters.web import limits
from adapters.web.app import create_app
from adapters.web.guard import HEADERS
from adapters.web.health import Check, Health
from adapters.web.metrics import Metrics
from bot.simulator.server import SimulatorConfig
from core.errors import Rejected
from core.i18n import translate
from core.operations import BUTTONS, ButtonKind
from core.signed_links import Purpose
from core.types import SessionId, Tenant
from tests.conftest import PHOTOS
from tests.fakes.house import House, Visitor, open_house
from tests.integration.test_together import mask_png


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(
        tmp_path / "house", SimulatorConfig(time_scale=0.01, seed=3)
    ) as opened:
        yield opened


@pytest_asyncio.fixture
async def ana(house: House) -> Visitor:
    return await house.enters("Ana")


async def painter_token(ana: Visitor, locale: str = "en") -> str:
    """A fresh painter link, asked for as a person would."""
    await ana.says("/draw a fox --size 512*512")
    fox = await ana.waits_for("result")
    await ana.says(
        "/wanx inpaint a red hat", reply_to=fox["id"], locale=locale
    )
    offer = await ana.waits_for("note", translate("mask.offer", locale))
    link = next(one for one in offer["buttons"] if one["kind"] == "link")
    return str(link["url"].rpartition("/")[2])


PNG_START = b"\x89PNG\r\n\x1a\n"


async def submit(
    house: House,
    token: str,
    body: bytes,
    kind: str = "image/png",
    **headers: str,
) -> int:
    sent = {
        "Authorization": f"Bearer {token}",
        "Content-Type": kind,
        "Easel-Prompt": "a%20red%20hat",
        **headers,
    }
    return (
        await house.http.post("/mask/submit", content=body, headers=sent)
    ).status_code


# The room


async def test_a_drawing_is_told_from_line_to_result_and_its_picture_is_there(
    house: House, ana: Visitor
) -> None:
    assert (await ana.says("/draw a red fox --size 512*512"))["accepted"]
    result = await ana.waits_for("result", "a red fox")
    picture = result["pictures"][0]
    answer = await house.http.get(picture["src"])
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-security-policy"].endswith("sandbox")
    with Image.open(io.BytesIO(answer.content)) as opened:
        assert (
            opened.size == (512, 512) == (picture["width"], picture["height"])
        )
    saved = await house.http.get(picture["download"])
    assert saved.headers["content-disposition"].startswith("attachment;")
    assert (await house.http.get(picture["view"])).status_code == 200


async def test_the_same_message_sent_twice_is_said_and_done_once(
    house: House, ana: Visitor
) -> None:
    for _ in range(3):
        await ana.says("/draw a fox", key="sent-again-1")
    await ana.waits_for("result")
    said = [
        one for one in await house.room.newest(ana.id) if one.author == ana.id
    ]
    assert len(said) == 1
    assert (
        len(
            await house.easel.context.store.history(
                Tenant("web:room"), SessionId("general/@ana")
            )
        )
        == 1
    )


async def test_plain_words_are_an_edit_only_when_they_talk_to_easel(
    house: House, ana: Visitor
) -> None:
    bo = await house.enters("Bo")
    await ana.says("/draw a fox --size 512*512")
    fox = await ana.waits_for("result")
    assert "accepted" not in await bo.says("what a nice morning")
    thread = {"thread": str(fox["id"])}
    assert "accepted" not in await bo.says("👍😍", **thread)
    assert "accepted" not in await bo.says("@Ana do you like it?", **thread)
    chatter = (await house.room.newest(bo.id))[-1]
    assert "accepted" not in await ana.says(
        "yes I do", reply_to=chatter.id, **thread
    )
    assert (await bo.says("make it night", **thread))["accepted"]
    assert (await bo.says("add some snow", reply_to=fox["id"]))["accepted"]
    assert (await bo.says("@Easel make it gold", thread=str(fox["id"])))[
        "accepted"
    ]


async def test_plain_words_in_a_channel_are_said_to_all_and_offered_to_their_person(
    house: House, ana: Visitor
) -> None:
    bo = await house.enters("Bo")
    assert "accepted" not in await bo.says("a lighthouse at night")
    offer = await bo.waits_for("note")
    assert offer["private"]
    (drawing,) = offer["buttons"]
    assert drawing["label"] == "🎨 Draw “a lighthouse at night”"
    said = [message.body["text"] for message in await house.room.newest("ana")]
    assert said == ["a lighthouse at night"]
    assert not await house.easel.context.store.open_steps()
    pressed = await bo.asks("/room/press", button=drawing["id"])
    assert pressed.json()["accepted"]
    await ana.waits_for("result", "a lighthouse at night")


async def test_plain_words_do_what_the_composer_showed(
    house: House, ana: Visitor
) -> None:
    assert (await ana.asks("/room/head")).json() == {}
    fox = await ana.says("a fox --ar 1:1", mode="draw")
    await ana.waits_for("result", "a fox")
    head = (await ana.asks("/room/head")).json()
    assert (head["step"], head["version"]) == (fox["accepted"], 1)
    assert (await house.http.get(head["src"])).status_code == 200
    other = await ana.says("another fox", mode="draw")
    await ana.waits_for("result", "another fox")
    night = await ana.says("make it night", mode="edit")
    await ana.waits_for("result", "make it night")
    store = house.easel.context.store
    edited = await store.step(Tenant("web:room"), night["accepted"])
    assert edited.parent == other["accepted"]
    # In a thread, too, a drawing is a drawing.
    thread = str((await ana.waits_for("result", "make it night"))["id"])
    house_by_sea = await ana.says(
        "make a house by the sea", mode="draw", thread=thread
    )
    await ana.waits_for("result", "house by the sea")
    drawn = await store.step(Tenant("web:room"), house_by_sea["accepted"])
    assert drawn.parent is None
    # What is for the others costs nothing, whatever it looks like.
    for words, mode in (
        ("make it gold", "talk"),
        ("thanks!", "draw"),
        ("@Bo draw a house", "talk"),
    ):
        assert "accepted" not in await ana.says(words, mode=mode)
    wrong = await ana.asks("/room/say", text="a fox --sead 1", mode="draw")
    assert "--seed" in wrong.json()["error"]
    assert not await store.open_steps()


async def test_a_photo_dropped_with_words_is_edited_when_the_composer_says_so(
    house: House, ana: Visitor
) -> None:
    coffee = await ana.gives(PHOTOS / "coffee.png")
    assert "accepted" not in await ana.says(
        "my lunch", pictures=[coffee], mode="talk"
    )
    edit = await ana.says("make it night", pictures=[coffee], mode="edit")
    assert edit["accepted"]
    await ana.waits_for("result", "make it night")


async def test_words_said_to_easel_may_be_a_command(
    house: House, ana: Visitor
) -> None:
    await ana.says("@Easel draw a lighthouse --size 512*512")
    assert (
        "Drawn by Ana"
        in (await ana.waits_for("result", "a lighthouse"))["text"]
    )
    await ana.says("make it night", channel="dm-ana")
    assert (await ana.asks("/room/say", text="undo", channel="dm-ana")).json()[
        "reason"
    ] == "refuse.no_session"


async def test_a_photo_somebody_dropped_can_be_edited_by_replying_to_it(
    house: House, ana: Visitor
) -> None:
    ref = await ana.gives(PHOTOS / "coffee.png")
    await ana.says("my coffee", pictures=[ref])
    bo = await house.enters("Bo")
    said = next(
        one for one in await house.room.newest(bo.id) if one.author == "ana"
    )
    assert "accepted" not in await bo.says("nice one, Ana", reply_to=said.id)
    assert (await bo.says("@Easel make it night", reply_to=said.id))[
        "accepted"
    ]
    assert (await bo.waits_for("result", "make it night"))["pictures"][0][
        "width"
    ]
    assert (await ana.says("add a lemon", reply_to=said.id))["accepted"]
    assert (await bo.says("/edit make it gold", reply_to=said.id))["accepted"]


async def test_private_words_are_seen_by_their_person_only(
    house: House, ana: Visitor
) -> None:
    bo = await house.enters("Bo")
    await ana.says("/draw a secret fox --private --size 512*512")
    await ana.waits_for("result", "a secret fox")
    await ana.says("/easel help")
    note = await ana.waits_for("note", "draw PROMPT")
    assert note["private"]
    await ana.asks(
        "/room/fill",
        action="draw",
        text="a secret heron",
        given={"private": "yes"},
    )
    await ana.waits_for("result", "a secret heron")
    seen = json.dumps([one.body for one in await house.room.newest(bo.id)])
    assert "secret" not in seen
    assert "draw PROMPT" not in seen
    refused = await bo.asks(
        "/room/react", message=note["id"], emoji="⭐", on=True
    )
    assert refused.status_code == 404
    assert (
        await bo.asks("/room/dismiss", message=note["id"])
    ).status_code == 404
    assert (
        await ana.asks("/room/dismiss", message=note["id"])
    ).status_code == 200
    for other in ("dm-ana", "nowhere"):
        assert (
            await bo.asks("/room/say", text="hello", channel=other)
        ).status_code == 404


async def test_a_private_message_opens_no_thread_and_is_quoted_to_nobody(
    house: House, ana: Visitor
) -> None:
    bo = await house.enters("Bo")
    await ana.says("/draw a secret fox --private --size 512*512")
    fox = await ana.waits_for("result", "a secret fox")
    for text in (
        "/easel pick 1",
        "/easel info",
        "/easel history",
        "/easel undo",
    ):
        answer = await bo.asks("/room/say", text=text, thread=str(fox["id"]))
        assert answer.status_code in {404, 422}, text
    assert "accepted" in await bo.says(
        "@easel make it blue", thread=str(fox["id"])
    )
    assert "no picture to edit" in (await bo.waits_for("refusal"))["text"]
    await ana.says("@Bo look at this", reply_to=fox["id"])
    await ana.says("make it secret and green", reply_to=fox["id"])
    assert (await ana.waits_for("result", "secret and green"))["private"]
    await ana.says("/easel history")
    assert (await ana.waits_for("note", "History"))["private"]
    assert "secret" not in json.dumps(
        [one.body for one in await house.room.newest(bo.id)]
    )
    await ana.asks("/room/dismiss", message=fox["id"])
    await ana.asks("/room/react", message=fox["id"], emoji="⭐", on=True)
    assert (await house.room.message(fox["id"], ana.id)).body["tone"] == "gone"


async def test_names_of_every_script_stay_apart(house: House) -> None:
    for one, other in (("กิ่ง", "กุ้ง"), ("राम", "रोमी")):
        assert (await house.enters(one)).id != (await house.enters(other)).id


async def test_a_page_that_was_away_is_given_what_it_missed_and_nothing_twice(
    house: House, ana: Visitor
) -> None:
    last = await house.room.last_change()
    for at in range(5):
        await ana.says(f"word {at}?")
    seen: list[str] = []
    async with aclosing(ana.sees(since=last)) as events:
        async for event in events:
            seen += [message["text"] for message in event.get("messages", [])]
            if len(seen) >= 5:
                break
    assert seen == [f"word {at}?" for at in range(5)]


async def test_a_command_without_its_words_asks_for_them_and_the_form_is_taken(
    house: House, ana: Visitor
) -> None:
    form = (await ana.says("/draw"))["form"]
    assert form["action"] == "draw"
    assert form["fields"][0]["required"]
    sent = {
        "action": "draw",
        "text": "a heron",
        "given": {"n": "1", "ar": "1:1"},
    }
    assert (await ana.asks("/room/fill", **sent)).json()["accepted"]
    await ana.waits_for("result", "a heron")
    bad = await ana.asks(
        "/room/fill", action="draw", text="a heron", given={"n": "99"}
    )
    assert bad.status_code == 422
    assert "1–6" in bad.json()["error"]


async def test_reactions_are_shown_and_mean_what_they_say(
    house: House, ana: Visitor
) -> None:
    await ana.says("/draw two foxes --n 2 --size 512*512")
    fox = await ana.waits_for("result")
    for _ in range(2):
        await ana.asks("/room/react", message=fox["id"], emoji="2️⃣", on=True)
    voted = await ana.waits_for("result", "Votes: picture 2 has 1")
    assert voted["marks"] == {"2️⃣": ["ana"]}
    await ana.asks("/room/react", message=fox["id"], emoji="2️⃣", on=False)
    assert (
        "Votes"
        not in (await house.room.message(fox["id"], ana.id)).body["text"]
    )
    plain = await ana.says("hello")
    assert plain == {}
    said = (await house.room.newest(ana.id))[-1]
    assert (
        await ana.asks("/room/react", message=said.id, emoji="👍", on=True)
    ).json() == {}


async def test_undo_answers_with_the_picture_and_a_reply_to_that_answer_edits_it(
    house: House, ana: Visitor
) -> None:
    await ana.says("/draw a fox --size 512*512")
    await ana.waits_for("result", "a fox")
    await ana.says("/edit make it night")
    await ana.waits_for("result", "make it night")
    for _ in range(2):
        await ana.says("/easel undo", key="undo-sent-again")
    moved = await ana.waits_for("note", "Now at v1")
    buttons = {one["kind"]: one["id"] for one in moved["buttons"]}
    assert list(buttons) == ["edit", "redo", "again", "more"]
    await ana.asks("/room/press", button=buttons["redo"])
    newest = await ana.waits_for("note", "Now at v2")
    kinds = [one["kind"] for one in newest["buttons"]]
    assert kinds == ["edit", "undo", "again", "more"]
    again = await ana.says("make it gold", reply_to=moved["id"])
    await ana.waits_for("result", "make it gold")
    gold = await house.easel.context.store.step(
        Tenant("web:room"), again["accepted"]
    )
    assert gold.parent


async def test_buttons_are_never_dead_and_never_anybody_elses(
    house: House, ana: Visitor
) -> None:
    bo = await house.enters("Bo")
    await ana.says("/draw a fox --size 512*512")
    fox = await ana.waits_for("result")
    by_kind = {one["kind"]: one["id"] for one in fox["buttons"]}
    assert (await bo.asks("/room/press", button=by_kind["edit"])).json()[
        "form"
    ]["target"]
    refused = await bo.asks("/room/press", button=by_kind["delete"])
    assert refused.status_code == 422
    assert "Only Ana" in refused.json()["error"]
    for nonsense in (
        "",
        "e1:delete:nothere:0",
        "e9:edit:abc:0",
        "<script>",
        "e1:link:abc:0",
    ):
        assert (await bo.asks("/room/press", button=nonsense)).status_code in {
            404,
            422,
        }


@pytest.mark.parametrize(
    "name", ["", "   ", "a" * 31, "👍", "Easel", "\x00", 7, None]
)
async def test_a_name_that_is_none_is_refused_kindly(
    house: House, name: object
) -> None:
    answer = await house.http.post("/room/enter", json={"name": name})
    assert answer.status_code == 422
    assert answer.json()["error"]


async def test_the_same_name_is_the_same_person_and_the_first_one_runs_the_room(
    house: House, ana: Visitor
) -> None:
    again = await house.enters("  ANA ")
    assert again.id == ana.id
    assert again.key != ana.key
    assert (await ana.says("/easel settings"))["form"]["action"] == "settings"
    bo = await house.enters("Bo")
    assert (
        await bo.asks("/room/say", text="/easel settings")
    ).status_code == 422


async def test_a_channel_is_limited_to_people_there_are(
    house: House, ana: Visitor
) -> None:
    await house.enters("Bo Li")

    async def limit(people: str) -> httpx.Response:
        given = {"people": people}
        return await ana.asks("/room/fill", action="settings", given=given)

    refused = await limit("@Ana, Beau")
    assert refused.status_code == 422
    assert refused.json()["reason"] == "room.no_such_person"
    assert "beau" in refused.json()["error"]
    assert "Ana, Bo Li" in refused.json()["error"]
    assert (await limit("@Ana, bo li")).status_code == 200
    assert (await limit("")).status_code == 200


async def test_an_admin_of_the_room_picks_who_and_what_is_refused(
    house: House, ana: Visitor
) -> None:
    bo = await house.enters("Bo Li")

    async def saves(**given: str) -> httpx.Response:
        return await ana.asks("/room/fill", action="settings", given=given)

    asked = (await ana.says("/easel settings"))["form"]["fields"]
    kinds = {field["name"]: field["kind"] for field in asked}
    assert kinds["people"] == kinds["refused_people"] == "people"
    assert kinds["functions"] == kinds["functions_off"] == "choices"
    refused = await saves(refused_people="Beau")
    assert refused.json()["reason"] == "room.no_such_person"
    refused = await saves(refused_people="ana")
    assert refused.json()["reason"] == "refuse.not_yourself"
    given = {"refused_people": "bo-li", "refused_words": "gun\n血腥"}
    assert (await saves(**given)).status_code == 200
    refused = await bo.asks("/room/say", text="/draw a fox")
    assert refused.json()["reason"] == "refuse.refused_person"
    refused = await ana.asks("/room/say", text="/draw 血腥 fox")
    assert refused.json()["reason"] == "refuse.refused_word"
    assert "gun" not in refused.json()["error"]
    # What is refused was never said: the others do not read it either.
    said = [message.body["text"] for message in await house.room.newest("ana")]
    assert not [text for text in said if text.startswith("/draw")]


async def test_an_admin_pauses_the_room_and_resumes_it(
    house: House, ana: Visitor
) -> None:
    bo = await house.enters("Bo")
    refused = await bo.asks("/room/say", text="/easel pause")
    assert refused.json()["reason"] == "refuse.admins_only"
    await ana.says("/easel pause")
    refused = await bo.asks("/room/say", text="/draw a fox")
    assert refused.status_code == 422
    assert refused.json()["reason"] == "refuse.paused"
    await ana.says("/easel resume")
    assert (await bo.says("/draw a fox"))["accepted"]
    refused = await bo.asks("/room/say", text="/easel audit")
    assert refused.json()["reason"] == "refuse.admins_only"
    await ana.says("/easel audit")


# What is given


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 422),
        (b"%PDF-1.7 not a picture", 415),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", 415),
        (b"data:image/png;base64,AAAA", 415),
        ((PHOTOS / "coffee.png").read_bytes()[:4000], 422),
        (b"x" * (31 << 20), 413),
    ],
)
async def test_a_wrong_file_is_refused_with_words_and_nothing_is_kept(
    house: House, ana: Visitor, data: bytes, status: int
) -> None:
    answer = await house.http.post(
        "/room/upload",
        content=data,
        headers={"Authorization": f"Bearer {ana.key}"},
    )
    assert answer.status_code == status
    if status != 413:
        assert answer.json()["error"]
    assert await house.easel.context.blobs.keys("web:room") == []


async def test_what_is_dropped_loses_its_position_before_anybody_sees_it(
    house: House, ana: Visitor
) -> None:
    photo = Image.new("RGB", (64, 64), "red")
    exif = Image.Exif()
    exif[0x010E] = "SECRETTEXT"
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", exif=exif, comment=b"SECRETTEXT")
    sent = {"Authorization": f"Bearer {ana.key}"}
    kept = (
        await house.http.post(
            "/room/upload", content=buffer.getvalue(), headers=sent
        )
    ).json()
    assert b"SECRETTEXT" not in (await house.http.get(kept["src"])).content


async def test_who_drops_a_moving_picture_is_told_which_part_is_used(
    house: House, ana: Visitor
) -> None:
    frames = [Image.new("RGB", (64, 64), name) for name in ("red", "blue")]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    sent = {"Authorization": f"Bearer {ana.key}", "Easel-Locale": "id"}
    kept = await house.http.post(
        "/room/upload", content=buffer.getvalue(), headers=sent
    )
    assert kept.json()["notes"] == [
        translate("picture.note.first_frame", "id")
    ]


@pytest.mark.parametrize(
    "name",
    [
        "..%2F..%2Fetc%2Fpasswd.png",
        "a%0D%0AX-Evil%3A%201.png",
        "%22%3E%3Cimg%20onerror%3D1%3E",
        "x" * 3000,
    ],
)
async def test_fn_a_files_name_is_only_ever_shown(
    house: House, ana: Visitor, name: str
) -> None:
    headers = {"Authorization": f"Bearer {ana.key}", "Easel-Name": name}
    data = (PHOTOS / "rocket.jpg").read_bytes()
    kept = (
        await house.http.post("/room/upload", content=data, headers=headers)
    ).json()
    assert len(kept["name"]) <= 80
    assert "\n" not in kept["name"]
    saved = await house.http.get(kept["download"])
    assert "x-evil" not in saved.headers
    assert not set('"<>\r\n/') & set(
        saved.headers["content-disposition"].partition('filename="')[2][:-1]
    )


async def test_words_come_back_as_words(house: House, ana: Visitor) -> None:
    nasty = '"><img src=x onerror=alert(1)> <!channel> @everyone {{painter.title}} </script>'
    await ana.says(f'/draw "{nasty.replace(chr(34), chr(39))}" --size 512*512')
    result = await ana.waits_for("result")
    page = (await house.http.get(result["pictures"][0]["view"])).text
    assert "<img src=x" not in page
    await ana.says("/easel history")
    history = await ana.waits_for("note", "History")
    page = (
        await house.http.get(urlsplit(history["buttons"][0]["url"]).path)
    ).text
    assert "<img src=x" not in page
    assert "</script> " not in page


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'"x"',
        b"{",
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"text": 7}',
        b'{"text":"x","key":"../../x"}',
    ],
)
async def test_a_body_no_page_of_ours_sends_is_refused_and_never_breaks(
    house: House, ana: Visitor, body: bytes
) -> None:
    for path in (
        "/room/say",
        "/room/press",
        "/room/fill",
        "/room/react",
        "/room/channel",
        "/room/older",
        "/room/dismiss",
    ):
        answer = await house.http.post(
            path, content=body, headers={"Authorization": f"Bearer {ana.key}"}
        )
        assert answer.status_code in {404, 422}, path
        assert answer.json()["error"]


async def test_numbers_and_actions_no_page_of_ours_sends_are_refused(
    house: House, ana: Visitor
) -> None:
    for number in (10**30, -1, 0, 1.5, "1", None):
        assert (
            await ana.asks("/room/dismiss", message=number)
        ).status_code == 422
        assert (
            await ana.asks("/room/react", message=number, emoji="⭐", on=True)
        ).status_code == 422
    assert (
        await ana.asks("/room/say", text="hello", reply_to=10**30)
    ).status_code == 200
    for action in ("vote", "region", "sing", None, 7):
        assert (
            await ana.asks("/room/fill", action=action, text="x")
        ).status_code == 422
    assert (await ana.asks("/room/say", text="x" * 20_001)).status_code == 422
    half = (
        b'{"key": "half-a-char", "channel": "general", "text": "hi \\ud800", '
        b'"message": 1, "emoji": "\\ud800", "on": 1}'
    )
    for path in (
        "/room/say",
        "/room/react",
        "/room/press",
        "/room/fill",
        "/room/channel",
    ):
        answer = await house.http.post(
            path, content=half, headers={"Authorization": f"Bearer {ana.key}"}
        )
        assert answer.status_code < 500, path
    assert (
        await ana.asks("/room/say", text="/draw a fox", locale="x" * 90)
    ).status_code == 200


# The guard


async def test_every_reply_carries_the_headers_that_keep_a_browser_safe(
    house: House,
) -> None:
    for path in (
        "/room",
        "/healthz",
        "/static/room.js",
        "/mask/x",
        "/nothing",
    ):
        answer = await house.http.get(path)
        for name, value in HEADERS.items():
            assert answer.headers[name] == value, (path, name)
        assert "server" not in answer.headers


async def test_a_foreign_page_can_ask_for_nothing(
    house: House, ana: Visitor
) -> None:
    own = {"Authorization": f"Bearer {ana.key}"}
    for foreign in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ):
        answer = await house.http.post(
            "/room/say", json={}, headers={**own, **foreign}
        )
        assert answer.status_code == 403
        assert (
            await house.http.post("/mask/submit", content=b"", headers=foreign)
        ).status_code == 403


async def test_a_foreign_host_is_no_host_of_ours(house: House) -> None:
    assert (
        await house.http.get("/room", headers={"Host": "evil.example"})
    ).status_code == 421
    assert (
        await house.http.get("/healthz", headers={"Host": "10.0.0.7"})
    ).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "//evil.tld",
        "/%2e%2e/",
        "/static/..%2f..%2fguard.py",
        "/static/%2e%2e/guard.py",
        "/room/",
        "/static/",
    ],
)
async def test_paths_lead_nowhere_else(house: House, path: str) -> None:
    host, port = house.address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode()
    )
    answer = await reader.read()
    writer.close()
    assert b" 404 " in answer.split(b"\r\n")[0]
    assert b"\r\nlocation:" not in answer.lower()


@pytest.mark.parametrize(
    "method", ["TRACE", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH"]
)
async def test_other_methods_are_refused(house: House, method: str) -> None:
    for path in ("/", "/room", "/room/say"):
        assert (await house.http.request(method, path)).status_code == 405


async def test_too_much_is_cut_off(house: House, ana: Visitor) -> None:
    host, port = house.address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"GET /room HTTP/1.1\r\nHost: {host}:{port}\r\nX-Long: {'x' * 100_000}\r\n\r\n".encode()
    )
    assert b" 200 " not in (await reader.read(200))
    writer.close()
    big = await house.http.post(
        "/room/say",
        content=b"x" * ((1 << 20) + 1),
        headers={"Authorization": f"Bearer {ana.key}"},
    )
    assert big.status_code == 413

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * (1 << 16)

    # The answer may come while the body is still being sent, and then the connection is gone.
    with suppress(httpx.ReadError, httpx.WriteError):
        cut = await house.http.post(
            "/room/say",
            content=endless(),
            headers={"Authorization": f"Bearer {ana.key}"},
        )
        assert cut.status_code == 413
    packed = await house.http.post(
        "/room/say", content=b"x", headers={"Content-Encoding": "gzip"}
    )
    assert packed.status_code == 415


async def test_without_a_key_of_the_room_nothing_is_told(house: House) -> None:
    for headers in (
        {},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Basic x"},
    ):
        assert (
            await house.http.get("/room/stream", headers=headers)
        ).status_code == 401
        assert (
            await house.http.post("/room/say", json={}, headers=headers)
        ).status_code == 401


# Signed links


async def test_the_painter_speaks_the_language_the_link_was_given_in(
    house: House, ana: Visitor
) -> None:
    token = await painter_token(ana, "id")
    page = await house.http.get(
        f"/mask/{token}", headers={"Accept-Language": "en"}
    )
    assert '<html lang="id">' in page.text


async def test_looking_at_a_painter_link_uses_nothing_up(
    house: House, ana: Visitor
) -> None:
    token = await painter_token(ana)
    for agent in (
        "Slackbot-LinkExpanding 1.0",
        "Mozilla/5.0 (compatible; Discordbot/2.0)",
    ):
        for _ in range(10):
            page = await house.http.get(
                f"/mask/{token}", headers={"User-Agent": agent}
            )
            assert page.status_code == 200
            assert "red hat" not in page.text
            assert token not in page.text
    assert (
        await submit(house, token, mask_png((512, 512), (0, 0, 100, 100)))
        == 202
    )


async def test_t12_no_token_reaches_a_log(
    house: House, ana: Visitor, capfd: pytest.CaptureFixture[str]
) -> None:
    token = await painter_token(ana)
    await house.http.get(f"/mask/{token}")
    await house.http.get(f"/mask/{token[:-4]}AAAA")
    await house.http.get(
        "/mask/about", headers={"Authorization": f"Bearer {token}"}
    )
    assert (
        await submit(house, token, mask_png((512, 512), (0, 0, 100, 100)))
        == 202
    )
    await ana.waits_for("result", "a red hat")
    said = "".join(capfd.readouterr())
    assert "delivered" in said
    for secret in (token, token[:-4], ana.key):
        assert secret not in said


async def test_a_mask_is_handed_in_once(house: House, ana: Visitor) -> None:
    token = await painter_token(ana)
    mask = mask_png((512, 512), (0, 0, 100, 100))
    answers = await asyncio.gather(
        *(submit(house, token, mask) for _ in range(6))
    )
    assert sorted(answers) == [202, 409, 409, 409, 409, 409]
    await ana.waits_for("result", "a red hat")
    steps = await house.easel.context.store.history(
        Tenant("web:room"), SessionId("general/@ana")
    )
    assert [step.action.value for step in steps] == ["draw", "wanx.inpaint"]
    assert (await house.http.get(f"/mask/{token}")).status_code == 410
    assert await submit(house, token, mask) == 409


async def test_painter_links_forged_moved_or_late_open_nothing(
    house: House, ana: Visitor
) -> None:
    token = await painter_token(ana)
    links = house.easel.context.links
    now = house.easel.context.clock.now()
    claims = links.read(Purpose.MASK, token, now)
    late = links.token(Purpose.MASK, dict(claims), now - timedelta(seconds=2))
    moved = links.token(Purpose.VIEW, dict(claims), now + timedelta(minutes=5))
    elsewhere = links.token(
        Purpose.MASK, {**claims, "t": "slack:T1"}, now + timedelta(minutes=5)
    )
    mask = mask_png((512, 512), (0, 0, 100, 100))
    for wrong, status in (
        (token[:-4] + "AAAA", 403),
        (moved, 403),
        ("x", 403),
        ("x" * 5000, 403),
        (late, 410),
    ):
        assert (
            await house.http.get(
                "/mask/about", headers={"Authorization": f"Bearer {wrong}"}
            )
        ).status_code == status
        assert (
            await house.http.get(
                "/mask/picture", headers={"Authorization": f"Bearer {wrong}"}
            )
        ).status_code == status
        assert await submit(house, wrong, mask) == status
        page = await house.http.get(f"/mask/{wrong}")
        assert page.status_code == status
        assert "Traceback" not in page.text
    assert await submit(house, elsewhere, mask) == 404
    assert await submit(house, token, mask) == 202


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"<svg/>", "image/svg+xml", 415),
        (b"<svg/>", "image/png", 415),
        (b"data:image/png;base64,AAAA", "image/png", 415),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * (50 << 20), "image/png", 413),
    ],
)
async def test_what_is_no_mask_is_refused(
    house: House, ana: Visitor, body: bytes, kind: str, status: int
) -> None:
    token = await painter_token(ana)
    assert await submit(house, token, body, kind) == status
    assert (
        await submit(house, token, mask_png((512, 512), (0, 0, 9, 9))) == 202
    )


async def test_a_refused_mask_leaves_the_painter_open_and_nothing_behind(
    house: House, ana: Visitor
) -> None:
    token = await painter_token(ana)
    blobs = house.easel.context.blobs
    before = await blobs.keys("web:room")
    garbage = PNG_START + b"no picture" * 1000
    assert await submit(house, token, garbage) == 422
    assert await blobs.keys("web:room") == before
    mask = mask_png((512, 512), (0, 0, 9, 9))
    assert await submit(house, token, mask) == 202


async def test_a_mask_of_another_shape_or_with_nothing_in_it_is_told_where_it_was_asked(
    house: House, ana: Visitor
) -> None:
    for mask, words in (
        (mask_png((300, 900), (0, 0, 9, 9)), "same proportions"),
        (mask_png((512, 512), (0, 0, 0, 0)), "Nothing is marked"),
    ):
        token = await painter_token(ana)
        assert await submit(house, token, mask) == 202
        assert (await ana.waits_for("refusal", words))["private"]


async def test_the_painter_shows_its_picture_and_prompt_to_the_holder_of_the_link(
    house: House, ana: Visitor
) -> None:
    token = await painter_token(ana)
    headers = {"Authorization": f"Bearer {token}"}
    about = (await house.http.get("/mask/about", headers=headers)).json()
    assert about == {
        "prompt": "a red hat",
        "width": 512,
        "height": 512,
        "limit": 800,
        "required": False,
    }
    picture = await house.http.get("/mask/picture", headers=headers)
    with Image.open(io.BytesIO(picture.content)) as opened:
        assert opened.size == (512, 512)


async def test_picture_history_and_compare_links_open_their_own_page_only(
    house: House, ana: Visitor
) -> None:
    await ana.says("/draw a fox --size 512*512")
    fox = await ana.waits_for("result")
    await ana.says("/edit make it night")
    night = await ana.waits_for("result", "make it night")
    await ana.says("/easel history")
    await ana.says("/easel compare")
    history = (await ana.waits_for("note", "History"))["buttons"][0]["url"]
    compare = (await ana.waits_for("note", "Before and after"))["buttons"][0][
        "url"
    ]
    paths = [
        fox["pictures"][0]["src"],
        fox["pictures"][0]["view"],
        urlsplit(history).path,
        urlsplit(compare).path,
    ]
    for path in paths:
        assert (await house.http.get(path)).status_code == 200
        purpose, token = path.strip("/").split("/")
        assert (
            await house.http.get(f"/{purpose}/{token[:-3]}AAA")
        ).status_code == 403
        for other in {"picture", "view", "history", "compare", "mask"} - {
            purpose
        }:
            assert (
                await house.http.get(f"/{other}/{token}")
            ).status_code == 403
    await ana.asks(
        "/room/press",
        button=next(
            one["id"] for one in night["buttons"] if one["kind"] == "delete"
        ),
    )
    assert (
        await house.http.get(night["pictures"][0]["src"])
    ).status_code == 410
    assert (await house.http.get(urlsplit(compare).path)).status_code == 410
    assert (await house.http.get(urlsplit(history).path)).status_code == 200


# Health


async def test_health_readiness_and_metrics_say_no_word_of_anybodys(
    house: House, ana: Visitor
) -> None:
    accepted = (await ana.says("/draw a secret fox --size 512*512"))[
        "accepted"
    ]
    await ana.waits_for("result")
    while not (
        await house.easel.context.store.step(Tenant("web:room"), accepted)
    ).state.is_final:
        await asyncio.sleep(0.01)
    assert (await house.http.get("/healthz")).text == "ok\n"
    assert (await house.http.get("/readyz")).json() == {
        "database": "ok",
        "blobs": "ok",
        "room": "ok",
    }
    metrics = (await house.http.get("/metrics")).text
    assert re.search(
        r'easel_steps\{action="draw",model="[\w.-]+",state="done"\} 1.0',
        metrics,
    )
    assert "secret" not in metrics
    assert "ana" not in metrics.lower().replace("dynamic", "")
    headers = {"Host": "evil.example"}
    answer = await house.http.get("/metrics", headers=headers)
    assert answer.status_code == 403
    address = urlsplit(house.address)
    reader, writer = await asyncio.open_connection(
        address.hostname, address.port
    )
    asked = f"GET /metrics HTTP/1.0\r\nHost: {address.netloc}\r\n\r\n"
    writer.write(asked.encode())
    assert b" 403 " in await reader.readline()
    writer.close()
    for forwarded in ("X-Forwarded-For", "Forwarded"):
        assert (
            await house.http.get("/metrics", headers={forwarded: "8.8.8.8"})
        ).status_code == 403


def health_of(house: House, checks: Mapping[str, Check]) -> Health:
    easel = house.easel
    metrics = Metrics(easel.context, easel.engine.count_deliveries)
    return Health(easel.context, checks, metrics)


async def test_a_part_that_is_not_well_is_named_and_nothing_else(
    house: House,
) -> None:
    async def broken() -> None:
        raise RuntimeError("postgresql://user:secret@host is down")

    health = health_of(house, {"slack": broken})
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(health.routes(), [])),
        base_url="http://localhost",
    ) as http:
        answer = await http.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "database": "ok",
        "blobs": "ok",
        "slack": "failing",
    }


async def test_readiness_answers_whatever_hangs_and_heaps_nothing_up(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_module, "CHECK_SECONDS", 0.2)
    monkeypatch.setattr(health_module, "FRESH", 0.0)
    looks = 0
    is_over = asyncio.Event()

    async def stuck() -> None:
        nonlocal looks
        looks += 1
        while not is_over.is_set():
            # As a thread at work for a database: nothing can interrupt it.
            with suppress(asyncio.CancelledError):
                await is_over.wait()

    monkeypatch.setattr(house.easel.context.store, "counts", stuck)
    health = health_of(house, {"slack": stuck})
    transport = httpx.ASGITransport(create_app(health.routes(), []))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://localhost"
    ) as http:
        for _ in range(3):
            ready = await http.get("/readyz")
            assert ready.json()["slack"] == "failing"
            metrics = await http.get("/metrics")
            assert 'easel_ready{part="slack"} 0.0' in metrics.text
    assert looks == 2
    is_over.set()


async def test_however_many_ask_there_is_one_look(house: House) -> None:
    looks = 0

    async def counted() -> None:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0.05)

    health = health_of(house, {"slack": counted})
    transport = httpx.ASGITransport(create_app(health.routes(), []))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://localhost"
    ) as http:
        answers = await asyncio.gather(
            *(http.get(path) for path in ["/readyz", "/metrics"] * 20)
        )
    assert {answer.status_code for answer in answers} == {200}
    assert looks == 1


async def test_asking_whether_it_is_ready_writes_once_and_again_after_trouble(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_module, "FRESH", 0.0)
    blobs = tmp_path / "house" / "blobs"

    def written() -> dict[Path, int]:
        files = [path for path in blobs.rglob("*") if path.is_file()]
        return {path: path.stat().st_mtime_ns for path in files}

    async def ready() -> int:
        return (await house.http.get("/readyz")).status_code

    assert await ready() == 200
    at_first = written()
    for _ in range(5):
        assert await ready() == 200
    assert written() == at_first
    blobs.rename(tmp_path / "away")
    blobs.write_bytes(b"no folder")
    assert await ready() == 503
    assert (await house.http.get("/readyz")).json() == {
        "database": "ok",
        "blobs": "failing",
        "room": "ok",
    }
    blobs.unlink()
    assert await ready() == 200
    assert len(written()) == len(at_first)


async def test_what_jobs_could_not_write_turns_readiness_until_it_can_be_written(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_module, "FRESH", 0.0)

    def is_full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    async def ready() -> int:
        return (await house.http.get("/readyz")).status_code

    blobs = house.easel.context.blobs
    assert await ready() == 200
    with monkeypatch.context() as patch:
        # A probe fits where a picture does not.
        patch.setattr(os, "fsync", is_full)
        assert await ready() == 200
        with pytest.raises(OSError, match="No space"):
            await blobs.keep("web:room", b"a picture")
        assert await ready() == 503
    assert await ready() == 200
    assert await blobs.keys("web:room") == []


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_a_load_balancer_may_look_with_head(
    house: House, path: str
) -> None:
    answer = await house.http.head(path)
    assert answer.status_code == 200
    assert answer.content == b""


async def test_metrics_can_have_a_port_of_their_own(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with open_house(
        tmp_path / "h",
        SimulatorConfig(time_scale=0.01),
        EASEL_METRICS_PORT=port,
    ) as house:
        assert (await house.http.get("/metrics")).status_code == 404
        assert (
            await house.http.get(f"http://127.0.0.1:{port}/metrics")
        ).status_code == 200
        assert (
            await house.http.get(f"http://127.0.0.1:{port}/room")
        ).status_code in {
            404,
            421,
        }


def test_every_button_kind_has_a_meaning_for_the_room() -> None:
    assert set(ButtonKind) - set(BUTTONS) == {ButtonKind.LINK}


async def test_deleting_leaves_nothing_behind_but_what_was_made_of_it(
    house: House, ana: Visitor
) -> None:
    drawn = await ana.says("/draw a purple fox --size 512*512")
    fox = await ana.waits_for("result", "a purple fox")
    edited = await ana.says("/edit make it night")
    night = await ana.waits_for("result", "make it night")
    await ana.says("/easel history")
    history = await ana.waits_for("note", "History")
    await ana.says("/easel compare")
    compare = await ana.waits_for("note", "Before and after")
    showing = [fox, history, compare]
    links = [
        picture["src"]
        for message in showing
        for picture in message["pictures"]
    ]
    assert len(links) == 4
    by_kind = {button["kind"]: button["id"] for button in fox["buttons"]}
    await ana.asks("/room/press", button=by_kind["delete"])
    await ana.waits_for("note", "v1 is deleted")
    statuses = [(await house.http.get(link)).status_code for link in links]
    assert statuses == [410] * 4
    for message in await house.room.newest(ana.id):
        # What she typed herself is hers.
        assert message.author or "purple" not in str(message.body)
    store = house.easel.context.store
    gone = await store.step(Tenant("web:room"), drawn["accepted"])
    assert (gone.prompt, gone.outputs) == ("", ())
    child = await store.step(Tenant("web:room"), edited["accepted"])
    assert (len(child.outputs), child.inputs) == (1, ())
    (link,) = [picture["src"] for picture in night["pictures"]]
    assert (await house.http.get(link)).status_code == 200
    refused = await ana.asks("/room/say", text="/easel compare")
    assert refused.json()["reason"] == "refuse.picture_gone"


async def test_an_upload_is_its_persons_own_whoever_has_the_same_picture(
    house: House, ana: Visitor, tmp_path: Path
) -> None:
    ben = await house.enters("Ben")
    copies = []
    for name in ("Ana-test-result.png", "harmless.png"):
        copy = tmp_path / name
        copy.write_bytes((PHOTOS / "coffee.png").read_bytes())
        copies.append(copy)
    hers = await ana.gives(copies[0])
    his = await ben.gives(copies[1])
    assert hers != his
    await ben.says("look", pictures=[his])
    said = (await house.room.newest(ben.id))[-1]
    (picture,) = said.body["pictures"]
    assert (picture["name"], picture["alt"]) == ("harmless.png",) * 2


async def test_a_full_disk_is_told_in_words_and_over_when_there_is_room(
    ana: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    headers = {"Authorization": f"Bearer {ana.key}", "Easel-Name": "c.png"}
    picture = (PHOTOS / "coffee.png").read_bytes()
    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", is_full)
        refused = await ana.http.post(
            "/room/upload", content=picture, headers=headers
        )
    assert refused.status_code == 507
    assert "nothing is charged" in refused.text
    taken = await ana.http.post(
        "/room/upload", content=picture, headers=headers
    )
    assert taken.status_code == 200


@pytest.mark.parametrize(
    ("quota", "most", "reason"),
    [
        ("MOST_UPLOADS", 1, "room.too_many_uploads"),
        ("MOST_UPLOADED", 1_000_000, "room.too_much_uploaded"),
    ],
)
async def test_a_person_uploads_only_so_much_a_day(
    ana: Visitor,
    monkeypatch: pytest.MonkeyPatch,
    quota: str,
    most: int,
    reason: str,
) -> None:
    monkeypatch.setattr(f"adapters.web.store.{quota}", most)
    await ana.gives(PHOTOS / "coffee.png")
    headers = {
        "Authorization": f"Bearer {ana.key}",
        "Easel-Name": "coffee.png",
    }
    refused = await ana.http.post(
        "/room/upload",
        content=(PHOTOS / "coffee.png").read_bytes(),
        headers=headers,
    )
    assert refused.json()["reason"] == reason


async def test_slow_uploads_keep_nobody_else_waiting(
    house: House, ana: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.web.connections.WINDOW", 300)
    address = urlsplit(house.address)
    head = (
        f"POST /room/upload HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"Authorization: Bearer {ana.key}\r\nContent-Length: 9000\r\n\r\n"
    )
    async with AsyncExitStack() as stack:
        for _ in range(room_module.UPLOADS):
            _, writer = await asyncio.open_connection(
                address.hostname, address.port
            )
            stack.callback(writer.close)
            writer.write(head.encode() + b"x")
            await writer.drain()
        bo = await house.enters("Bo")
        assert await bo.gives(PHOTOS / "coffee.png")


async def test_names_that_look_alike_are_one_person(
    house: House, ana: Visitor
) -> None:
    for name in ("Аna", "ａｎａ", "Ána", "Ana 🎨"):
        assert (await house.enters(name)).id == ana.id
    members = await house.room.members()
    assert [member.name for member in members] == ["Ana"]


async def test_a_person_has_so_many_pages_open_and_is_told(
    house: House, ana: Visitor
) -> None:
    bo = await house.enters("Bo")
    async with AsyncExitStack() as stack:
        for _ in range(limits.MOST_PAGES):
            events = await stack.enter_async_context(aclosing(ana.sees()))
            await anext(events)
        headers = {"Authorization": f"Bearer {ana.key}"}
        refused = await ana.http.get("/room/stream", headers=headers)
        assert refused.status_code == 429
        assert refused.json()["reason"] == "room.too_many_pages"
        async with aclosing(bo.sees()) as events:
            await anext(events)
    # Pages that were closed make room for others.
    async with asyncio.timeout(60):
        while not await opens_a_page(ana):
            await asyncio.sleep(0.05)


async def opens_a_page(visitor: Visitor) -> bool:
    headers = {"Authorization": f"Bearer {visitor.key}"}
    opening = visitor.http.stream("GET", "/room/stream", headers=headers)
    async with opening as page:
        return page.status_code == 200


async def test_who_is_too_fast_for_the_room_is_told(
    ana: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits.RateLimit, "take", limits.RateLimit(0, 60).take)
    refused = await ana.asks("/room/say", text="good morning?")
    assert refused.status_code == 429
    assert refused.json()["reason"] == "room.too_fast"
    assert (await ana.http.get("/room/commands")).status_code == 200


def test_a_person_says_only_so_much_in_a_minute() -> None:
    now = 0.0
    limit = limits.RateLimit(2, 60, lambda: now)
    for _ in range(2):
        limit.take("ana")
        limit.take("bo")
    with pytest.raises(Rejected) as caught:
        limit.take("ana")
    assert caught.value.key == "room.too_fast"
    now = 61.0
    limit.take("ana")


async def test_the_room_holds_so_many_people_channels_and_reactions(
    house: House, ana: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.web.members.MOST_PEOPLE", 2)
    monkeypatch.setattr("adapters.web.store.MOST_CHANNELS", 3)
    monkeypatch.setattr("adapters.web.store.MOST_EMOJI", 1)
    await house.enters("Bo")
    assert (await house.enters("Ana")).id == ana.id
    full = await house.http.post("/room/enter", json={"name": "Cy"})
    assert full.json()["reason"] == "room.too_many_people"
    assert (await ana.asks("/room/channel", name="studio")).status_code == 200
    assert (await ana.asks("/room/channel", name="studio")).status_code == 200
    refused = await ana.asks("/room/channel", name="attic")
    assert refused.json()["reason"] == "room.too_many_channels"
    await ana.says("who likes it?")
    said = (await house.room.newest(ana.id))[-1].id
    for emoji, status in (("⭐", 200), ("👍", 422)):
        reaction = {"message": said, "emoji": emoji, "on": True}
        answer = await ana.asks("/room/react", **reaction)
        assert answer.status_code == status, answer.text


async def test_older_windows_of_a_person_enter_again(
    house: House, ana: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.web.members.MOST_WINDOWS", 2)
    bo = await house.enters("Bo")
    await house.enters("Ana")
    newest = await house.enters("Ana")
    assert (await ana.asks("/room/say", text="hm?")).status_code == 401
    await newest.says("hm?")
    await bo.says("hm?")
