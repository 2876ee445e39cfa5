"""What every store of picture bytes must do."""

import hashlib
from pathlib import Path

import pytest

from core.errors import ConfigurationError, NotFound
from core.ports import Blobs
from core.storage.blobs import open_blobs


async def test_bytes_are_kept_under_their_hash_and_read_back(
    blobs: Blobs,
) -> None:
    key = await blobs.keep("w1", b"picture")
    assert key == hashlib.sha256(b"picture").hexdigest()
    assert await blobs.read("w1", key) == b"picture"


async def test_the_same_bytes_twice_are_one_blob(blobs: Blobs) -> None:
    assert await blobs.keep("w2", b"a") == await blobs.keep("w2", b"a")
    assert len(await blobs.keys("w2")) == 1


async def test_another_workspace_sees_nothing(blobs: Blobs) -> None:
    key = await blobs.keep("w3", b"secret")
    assert await blobs.keys("w4") == []
    with pytest.raises(NotFound):
        await blobs.read("w4", key)


async def test_deleting_twice_is_no_matter(blobs: Blobs) -> None:
    key = await blobs.keep("w5", b"x")
    await blobs.delete("w5", key)
    await blobs.delete("w5", key)
    assert await blobs.keys("w5") == []


@pytest.mark.parametrize(
    "key", ["../../etc/passwd", "a" * 63, "A" * 64, "", "/" + "a" * 63]
)
async def test_a_key_that_is_none_finds_nothing(
    blobs: Blobs, key: str
) -> None:
    with pytest.raises(NotFound):
        await blobs.read("w6", key)


async def test_a_probe_is_written_and_leaves_nothing(blobs: Blobs) -> None:
    await blobs.check()
    assert await blobs.keys("probe") == []


async def test_f26_a_damaged_blob_is_never_shown(tmp_path: Path) -> None:
    blobs = open_blobs(tmp_path.as_uri())
    key = await blobs.keep("w", b"whole")
    next(tmp_path.rglob(key)).write_bytes(b"damaged")
    with pytest.raises(NotFound):
        await blobs.read("w", key)


def test_an_address_of_another_kind_is_refused_by_its_settings_name() -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_blobs("ftp://x/y")
    assert caught.value.params["setting"] == "EASEL_BLOB_URL"


async def test_a_place_that_takes_bytes_has_not_failed(blobs: Blobs) -> None:
    await blobs.keep("w9", b"x")
    assert not blobs.has_failed
