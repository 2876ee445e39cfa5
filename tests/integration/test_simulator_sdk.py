"""The vendor's own Python SDK, with its pages' examples, works against the simulator."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from typing import Any

import dashscope
import pytest
import pytest_asyncio
from dashscope import ImageSynthesis, MultiModalConversation

from bot.simulator.server import Running
from tests.conftest import PHOTOS

KEY = "sk-simulator"
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest_asyncio.fixture(autouse=True)
async def _address(
    simulator: Running, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[None]:
    monkeypatch.setattr(dashscope, "base_http_api_url", simulator.url)
    yield


async def call_sdk(method: Callable[..., Any], /, **arguments: Any) -> Any:
    """The SDK blocks, so it runs in a thread."""
    return await asyncio.to_thread(method, api_key=KEY, **arguments)


def data_uri(name: str) -> str:
    kind = "jpeg" if name.endswith("jpg") else "png"
    return f"data:image/{kind};base64,{base64.b64encode((PHOTOS / name).read_bytes()).decode()}"


async def test_drawing_with_multi_modal_conversation() -> None:
    messages = [
        {
            "role": "user",
            "content": [{"text": "一副典雅庄重的对联悬挂于厅堂之中"}],
        }
    ]
    response = await call_sdk(
        MultiModalConversation.call,
        model="qwen-image-plus",
        messages=messages,
        result_format="message",
        stream=False,
        watermark=True,
        prompt_extend=True,
        negative_prompt="",
        size="1328*1328",
    )
    assert response.status_code == HTTPStatus.OK, response
    assert (
        response.output.choices[0]
        .message.content[0]["image"]
        .startswith("http://127.0.0.1")
    )


async def test_editing_three_pictures_with_multi_modal_conversation() -> None:
    images = [
        {"image": data_uri(name)}
        for name in ("coffee.png", "chelsea.png", "rocket.jpg")
    ]
    content = [
        *images,
        {"text": "图1中的女生穿着图2中的黑色裙子按图3的姿势坐下"},
    ]
    response = await call_sdk(
        MultiModalConversation.call,
        model="qwen-image-edit-max",
        messages=[{"role": "user", "content": content}],
        stream=False,
        n=2,
        watermark=False,
        negative_prompt=" ",
        prompt_extend=True,
        size="1024*1536",
    )
    assert response.status_code == HTTPStatus.OK, response
    assert len(response.output.choices[0].message.content) == 2


async def test_a_local_file_is_uploaded_to_temporary_storage() -> None:
    content = [
        {"image": f"file://{PHOTOS / 'coffee.png'}"},
        {"text": "make it night"},
    ]
    response = await call_sdk(
        MultiModalConversation.call,
        model="qwen-image-edit",
        messages=[{"role": "user", "content": content}],
    )
    assert response.status_code == HTTPStatus.OK, response


async def test_image_synthesis_call_waits_for_the_task() -> None:
    response = await call_sdk(
        ImageSynthesis.call,
        model="qwen-image-plus",
        prompt="a fox",
        n=1,
        size="1472*1104",
        prompt_extend=True,
    )
    assert response.status_code == HTTPStatus.OK, response
    assert response.output.task_status == "SUCCEEDED"
    assert response.output.results[0].url


async def test_image_synthesis_expands_a_picture() -> None:
    response = await call_sdk(
        ImageSynthesis.call,
        model="wanx2.1-imageedit",
        function="expand",
        prompt="一位绿色仙子",
        base_image_url=_enlarged("rocket.jpg"),
        top_scale=1.5,
        bottom_scale=1.5,
        left_scale=1.5,
        right_scale=1.5,
        n=1,
    )
    assert response.status_code == HTTPStatus.OK, response
    assert response.output.task_status == "SUCCEEDED", response.output


async def test_async_call_fetch_wait_and_list() -> None:
    created = await call_sdk(
        ImageSynthesis.async_call,
        model="qwen-image",
        prompt="a fox",
        n=1,
        size="1328*1328",
    )
    assert created.output.task_status == "PENDING"
    fetched = await call_sdk(ImageSynthesis.fetch, task=created)
    assert fetched.output.task_id == created.output.task_id
    waited = await call_sdk(ImageSynthesis.wait, task=created)
    assert waited.output.task_status == "SUCCEEDED"
    listed = await call_sdk(ImageSynthesis.list)  # type: ignore[attr-defined]
    assert listed.status_code == HTTPStatus.OK


async def test_a_finished_task_cannot_be_cancelled() -> None:
    created = await call_sdk(
        ImageSynthesis.call,
        model="qwen-image",
        prompt="a fox",
        size="1328*1328",
    )
    cancelled = await call_sdk(ImageSynthesis.cancel, task=created)  # type: ignore[attr-defined]
    assert (cancelled.status_code, cancelled.code) == (
        HTTPStatus.BAD_REQUEST,
        "UnsupportedOperation",
    )


async def test_a_wrong_key_is_reported_as_the_service_does() -> None:
    response = await asyncio.to_thread(
        ImageSynthesis.async_call,
        api_key="sk-wrong",
        model="qwen-image",
        prompt="a fox",
        size="1328*1328",
    )
    assert (response.status_code, response.code) == (
        HTTPStatus.UNAUTHORIZED,
        "InvalidApiKey",
    )


def _enlarged(name: str) -> str:
    """The photo with sides of at least 512 pixels, as the function wants it."""
    from core.pictures.normalize import fit_to  # noqa: PLC0415
    from core.size import PictureLimits  # noqa: PLC0415

    data = fit_to(
        (PHOTOS / name).read_bytes(), PictureLimits(min_side=512)
    ).data
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
