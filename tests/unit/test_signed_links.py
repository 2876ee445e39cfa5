"""Signed links: unchangeable, for one purpose, until their end."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Rejected
from core.signed_links import MAX_LENGTH, Links, Purpose

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LINKS = Links(["secret"], "https://easel.example/")
CLAIMS: dict[str, str | int] = {"t": "web:room", "d": "abc", "i": 2}
TOKEN = LINKS.token(Purpose.MASK, CLAIMS, NOW + timedelta(minutes=15))


def test_a_link_says_what_was_signed_until_its_end() -> None:
    assert LINKS.read(Purpose.MASK, TOKEN, NOW) == {
        "t": "web:room",
        "d": "abc",
        "i": "2",
    }
    assert LINKS.read(Purpose.MASK, TOKEN, NOW + timedelta(minutes=15))
    assert LINKS.url(Purpose.MASK, CLAIMS, NOW).startswith(
        "https://easel.example/mask/"
    )


def test_an_expired_link_is_told_apart_from_a_forged_one() -> None:
    with pytest.raises(Rejected, match=r"link\.expired"):
        LINKS.read(Purpose.MASK, TOKEN, NOW + timedelta(minutes=15, seconds=1))


def test_a_link_for_one_purpose_opens_nothing_else() -> None:
    for purpose in set(Purpose) - {Purpose.MASK}:
        with pytest.raises(Rejected, match=r"link\.invalid"):
            LINKS.read(purpose, TOKEN, NOW)


@pytest.mark.parametrize("at", range(len(TOKEN)))
def test_a_link_with_any_letter_changed_opens_nothing_else(at: int) -> None:
    changed = TOKEN[:at] + ("A" if TOKEN[at] != "A" else "B") + TOKEN[at + 1 :]
    # The last letter of a base64 text holds bits that mean nothing: such a token still says the
    # same.
    if at in {len(TOKEN) - 1, TOKEN.rindex(".") - 1}:
        with suppress(Rejected):
            assert LINKS.read(Purpose.MASK, changed, NOW)["d"] == "abc"
        return
    with pytest.raises(Rejected, match=r"link\.invalid"):
        LINKS.read(Purpose.MASK, changed, NOW)


@given(st.text())
def test_any_text_is_refused_and_never_breaks(text: str) -> None:
    with pytest.raises(Rejected, match=r"link\.invalid"):
        LINKS.read(Purpose.MASK, text, NOW)


def test_a_megabyte_and_another_key_are_refused() -> None:
    for token in (
        "A" * (MAX_LENGTH + 1),
        Links(["other"], "").token(Purpose.MASK, CLAIMS, NOW),
    ):
        with pytest.raises(Rejected, match=r"link\.invalid"):
            LINKS.read(Purpose.MASK, token, NOW)


def test_keys_rotate_the_old_one_is_still_believed_and_the_new_one_signs() -> (
    None
):
    rotated = Links(["secret", "newer"], "")
    assert rotated.read(Purpose.MASK, TOKEN, NOW)["d"] == "abc"
    fresh = rotated.token(Purpose.MASK, CLAIMS, NOW)
    assert Links(["newer"], "").read(Purpose.MASK, fresh, NOW)["d"] == "abc"


def test_without_an_address_there_are_no_links() -> None:
    assert Links(["secret"], "").url(Purpose.MASK, CLAIMS, NOW) == ""
