"""The simulator refuses what the vendor refuses and answers in the vendor's shapes.

There is one test for each rule of the vendor's pages (core/providers/dashscope/README.md).
"""

import asyncio
import base64
import io
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from PIL import Image

from bot.simulator.server import Running, serve
from bot.simulator.tasks import SimulatorConfig

KEY = {"Authorization": "Bearer sk-simulator"}
ASYNC = {**KEY, "X-DashScope-Async": "enable"}
MM = "/services/aigc/multimodal-generation/generation"
IG = "/services/aigc/image-generation/generation"
T2I = "/services/aigc/text2image/image-synthesis"
I2I = "/services/aigc/image2image/image-synthesis"


@pytest_asyncio.fixture
async def http(simulator: Running) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=simulator.url, trust_env=False, timeout=20
    ) as client:
        yield client


def data_uri(
    size: tuple[int, int] = (600, 520), kind: str = "PNG", mode: str = "RGB"
) -> str:
    buffer = io.BytesIO()
    Image.effect_noise(size, 60).convert(mode).save(buffer, kind)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def mm(
    model: str,
    text: str = "a fox",
    images: tuple[str, ...] = (),
    **parameters: Any,
) -> dict[str, Any]:
    content = [*({"image": one} for one in images), {"text": text}]
    return {
        "model": model,
        "input": {"messages": [{"role": "user", "content": content}]},
        "parameters": parameters,
    }


def t2i(
    model: str = "qwen-image-plus", prompt: str = "a fox", **parameters: Any
) -> dict[str, Any]:
    return {
        "model": model,
        "input": {"prompt": prompt},
        "parameters": parameters,
    }


def wanx(
    function: str = "colorization", base: str | None = None, **changes: Any
) -> dict[str, Any]:
    inputs = {
        "function": function,
        "prompt": "",
        "base_image_url": base or data_uri(),
        **changes.pop("input", {}),
    }
    return {
        "model": "wanx2.1-imageedit",
        "input": inputs,
        "parameters": changes,
    }


async def assert_refused(
    answer: httpx.Response, status: int, code: str, message: str
) -> None:
    assert answer.status_code == status, answer.text
    assert answer.json()["code"] == code
    assert message in answer.json()["message"]
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


async def wait_for_end(
    http: httpx.AsyncClient, created: httpx.Response
) -> dict[str, Any]:
    """Wait for a task's end; gently, for the account has twenty queries a second."""
    assert created.status_code == 200, created.text
    task_id = created.json()["output"]["task_id"]
    while True:
        await asyncio.sleep(0.07)
        body: dict[str, Any] = (
            await http.get(f"/tasks/{task_id}", headers=KEY)
        ).json()
        if body["output"]["task_status"] not in {"PENDING", "RUNNING"}:
            return body


async def picture(http: httpx.AsyncClient, url: str) -> Image.Image:
    answer = await http.get(url)
    assert answer.headers["content-type"] == "image/png"
    return Image.open(io.BytesIO(answer.content))


# Keys, endpoints, headers, bodies


async def test_a_call_without_a_key_is_refused(
    http: httpx.AsyncClient,
) -> None:
    await assert_refused(
        await http.post(MM, json=mm("qwen-image")),
        401,
        "InvalidApiKey",
        "No API-key provided.",
    )


async def test_a_wrong_key_is_refused_on_every_path(
    http: httpx.AsyncClient,
) -> None:
    wrong = {"Authorization": "Bearer sk-other"}
    answers = [
        await http.post(T2I, json=t2i(), headers={**ASYNC, **wrong}),
        await http.get("/tasks/x", headers=wrong),
        await http.get("/tasks", headers=wrong),
        await http.post("/tasks/x/cancel", headers=wrong),
        await http.get(
            "/uploads?action=getPolicy&model=qwen-image", headers=wrong
        ),
    ]
    for answer in answers:
        await assert_refused(
            answer, 401, "InvalidApiKey", "Invalid API-key provided."
        )


async def test_a_task_endpoint_without_the_async_header_is_refused(
    http: httpx.AsyncClient,
) -> None:
    for path, body in [(T2I, t2i()), (I2I, wanx()), (IG, mm("wan2.6-t2i"))]:
        await assert_refused(
            await http.post(path, json=body, headers=KEY),
            403,
            "AccessDenied",
            "does not support synchronous",
        )


async def test_the_synchronous_endpoint_refuses_the_async_header(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.post(MM, json=mm("qwen-image"), headers=ASYNC)
    await assert_refused(
        answer,
        403,
        "AccessDenied",
        "current user api does not support asynchronous calls",
    )


async def test_invalid_json_is_refused(http: httpx.AsyncClient) -> None:
    answer = await http.post(MM, content=b"{", headers=KEY)
    await assert_refused(
        answer, 400, "InvalidParameter", "Required body invalid"
    )


async def test_a_missing_model_is_refused(http: httpx.AsyncClient) -> None:
    await assert_refused(
        await http.post(MM, json={"input": {}}, headers=KEY),
        400,
        "BadRequest.EmptyModel",
        "model",
    )


async def test_an_unknown_model_is_404(http: httpx.AsyncClient) -> None:
    await assert_refused(
        await http.post(MM, json=mm("qwen-image-9"), headers=KEY),
        404,
        "InvalidParameter",
        "Model not exist.",
    )


async def test_a_known_model_on_the_wrong_path_is_a_url_error(
    http: httpx.AsyncClient,
) -> None:
    for path, body in [
        (T2I, t2i("qwen-image-max")),
        (IG, mm("qwen-image-2.0")),
        (I2I, t2i("wan2.2-t2i-flash")),
    ]:
        await assert_refused(
            await http.post(path, json=body, headers=ASYNC),
            400,
            "InvalidParameter",
            "url error",
        )
    await assert_refused(
        await http.post(MM, json=mm("wan2.5-t2i-preview"), headers=KEY),
        400,
        "InvalidParameter",
        "url error",
    )


async def test_a_missing_input_is_refused(http: httpx.AsyncClient) -> None:
    answer = await http.post(MM, json={"model": "qwen-image"}, headers=KEY)
    await assert_refused(
        answer,
        400,
        "BadRequest.EmptyInput",
        "Required input parameter missing",
    )


# Messages


async def test_missing_messages_are_named(http: httpx.AsyncClient) -> None:
    body = {"model": "qwen-image", "input": {"prompt": "x"}}
    await assert_refused(
        await http.post(MM, json=body, headers=KEY),
        400,
        "InvalidParameter",
        "Field required: input.messages",
    )


async def test_only_one_message_is_taken(http: httpx.AsyncClient) -> None:
    body = mm("qwen-image")
    body["input"]["messages"] *= 2
    await assert_refused(
        await http.post(MM, json=body, headers=KEY),
        400,
        "InvalidParameter",
        "messages length only support 1",
    )


async def test_exactly_one_text_is_taken(http: httpx.AsyncClient) -> None:
    for count in (0, 2):
        body = mm("qwen-image-2.0")
        body["input"]["messages"][0]["content"] = [{"text": "x"}] * count
        await assert_refused(
            await http.post(MM, json=body, headers=KEY),
            400,
            "InvalidParameter",
            "lack of image or text",
        )


async def test_an_edit_model_wants_a_picture_and_takes_three_at_most(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.post(MM, json=mm("qwen-image-edit"), headers=KEY)
    await assert_refused(
        answer, 400, "InvalidParameter", "lack of image or text"
    )
    answer = await http.post(
        MM, json=mm("qwen-image-edit", images=(data_uri(),) * 4), headers=KEY
    )
    await assert_refused(
        answer, 400, "InvalidParameter", "content length only support"
    )


async def test_z_image_takes_one_part_only(http: httpx.AsyncClient) -> None:
    answer = await http.post(
        MM, json=mm("z-image-turbo", images=(data_uri(),)), headers=KEY
    )
    await assert_refused(
        answer, 400, "InvalidParameter", "content parameter's length invalid"
    )


async def test_a_long_prompt_is_cut_silently(
    http: httpx.AsyncClient, simulator: Running
) -> None:
    await wait_for_end(
        http, await http.post(T2I, json=t2i(prompt="x" * 900), headers=ASYNC)
    )
    assert [
        len(task.request.prompt) for task in simulator.account.tasks.values()
    ] == [800]


# n, size, seed


@pytest.mark.parametrize(
    ("model", "n", "message"),
    [
        ("qwen-image", 2, "num_images_per_prompt must be 1"),
        ("qwen-image-edit-plus", 7, "Range of n should be [1, 6]"),
        ("qwen-image-2.0", 0, "Range of n should be [1, 6]"),
        ("wan2.7-image", 5, "Range of n should be [1, 4]"),
        ("qwen-image-2.0", "2", "Range of n"),
    ],
)
async def test_n_is_checked(
    http: httpx.AsyncClient, model: str, n: Any, message: str
) -> None:
    images = (data_uri(),) if "edit" in model else ()
    await assert_refused(
        await http.post(MM, json=mm(model, images=images, n=n), headers=KEY),
        400,
        "InvalidParameter",
        message,
    )


async def test_n_is_checked_before_size(http: httpx.AsyncClient) -> None:
    answer = await http.post(
        MM, json=mm("qwen-image-3.0", n=9, size="1*1"), headers=KEY
    )
    await assert_refused(answer, 400, "InvalidParameter", "Range of n")


@pytest.mark.parametrize(
    ("model", "size", "message"),
    [
        (
            "qwen-image",
            "1024*1024",
            "The size does not match the allowed size 1664*928,1472*1104,1328*1328",
        ),
        (
            "qwen-image-max",
            "9999*9999",
            "Size 9999*9999 is out of range [512*512, 1664*1664]",
        ),
        (
            "qwen-image-2.0",
            "100*100",
            "Image area must be between 262144 (512x512) and 4194304 (2048x2048) pixels.",
        ),
        (
            "qwen-image-3.0",
            "100*100",
            "Image area must be between 262144 (512x512) and 6553600 (2560x2560) pixels",
        ),
        ("qwen-image-3.0", "4608*512", "for t2i requests"),
        ("z-image-turbo", "3*3", "Got area=9 (width=3, height=3)."),
        ("wan2.6-t2i", "512*512", "must be between 1638400 and 2073600"),
        (
            "wan2.7-image",
            "9999*9999",
            "Total pixels (99980001) must be between 589824 and 16777216",
        ),
        ("qwen-image-2.0", "1K", "Expected format: '<width>*<height>'"),
        ("qwen-image-2.0", "1024x1024", "Expected format: '<width>*<height>'"),
    ],
)
async def test_the_size_is_checked_in_the_models_own_words(
    http: httpx.AsyncClient, model: str, size: str, message: str
) -> None:
    await assert_refused(
        await http.post(MM, json=mm(model, size=size), headers=KEY),
        400,
        "InvalidParameter",
        message,
    )


async def test_the_sides_of_older_models_are_checked(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.post(
        T2I, json=t2i("wan2.2-t2i-plus", size="768*2700"), headers=ASYNC
    )
    await assert_refused(
        answer,
        400,
        "InvalidParameter",
        "Either width or height should be between 512 and 1440",
    )
    edit = mm("qwen-image-edit-plus", images=(data_uri(),), size="100*900")
    await assert_refused(
        await http.post(MM, json=edit, headers=KEY),
        400,
        "InvalidParameter",
        "out of range [512*512, 2048*2048]",
    )


async def test_a_seed_out_of_range_is_refused(http: httpx.AsyncClient) -> None:
    for seed in (-1, 2**31, 1.5, "7"):
        answer = await http.post(
            MM, json=mm("qwen-image", seed=seed), headers=KEY
        )
        await assert_refused(answer, 400, "InvalidParameter", "Range of seed")
        await asyncio.sleep(0)


# Output sizes


async def test_an_explicit_size_comes_back_exactly_in_drawings(
    http: httpx.AsyncClient,
) -> None:
    body = (
        await http.post(
            MM, json=mm("qwen-image-2.0", size="1033*1032"), headers=KEY
        )
    ).json()
    made = await picture(
        http, body["output"]["choices"][0]["message"]["content"][0]["image"]
    )
    assert made.size == (1033, 1032)
    assert (
        body["usage"]["width"],
        body["usage"]["height"],
        body["usage"]["image_count"],
    ) == (
        1033,
        1032,
        1,
    )


async def test_an_edit_rounds_its_size_to_sixteen_and_else_keeps_the_last_inputs_ratio(
    http: httpx.AsyncClient,
) -> None:
    both = (data_uri((600, 600)), data_uri((900, 450)))
    plain = (
        await http.post(
            MM, json=mm("qwen-image-edit-plus", images=both), headers=KEY
        )
    ).json()
    made = await picture(
        http, plain["output"]["choices"][0]["message"]["content"][0]["image"]
    )
    assert made.size[0] % 16 == made.size[1] % 16 == 0
    assert abs(made.size[0] / made.size[1] - 2) < 0.05
    sized = mm("qwen-image-edit-plus", images=both, size="1033*1032")
    asked = (await http.post(MM, json=sized, headers=KEY)).json()
    made = await picture(
        http, asked["output"]["choices"][0]["message"]["content"][0]["image"]
    )
    assert made.size == (1040, 1024)


async def test_left_out_n_makes_four_pictures_on_wan(
    http: httpx.AsyncClient, simulator: Running
) -> None:
    body = await wait_for_end(
        http,
        await http.post(T2I, json=t2i("wan2.5-t2i-preview"), headers=ASYNC),
    )
    assert len(body["output"]["results"]) == 4
    assert body["usage"]["image_count"] == 4


# Shapes


async def test_several_pictures_are_several_contents_of_one_choice(
    http: httpx.AsyncClient,
) -> None:
    body = (
        await http.post(
            MM, json=mm("qwen-image-2.0", n=3, size="512*512"), headers=KEY
        )
    ).json()
    assert len(body["output"]["choices"]) == 1
    assert len(body["output"]["choices"][0]["message"]["content"]) == 3


async def test_the_legacy_family_has_task_metric_and_3_0_its_own_usage(
    http: httpx.AsyncClient,
) -> None:
    legacy = (await http.post(MM, json=mm("qwen-image"), headers=KEY)).json()
    assert legacy["output"]["task_metric"] == {
        "TOTAL": 1,
        "FAILED": 0,
        "SUCCEEDED": 1,
    }
    three = (
        await http.post(
            MM, json=mm("qwen-image-3.0", size="1024*1024"), headers=KEY
        )
    ).json()
    assert three["usage"]["output_image_type"] == "qima_output_1k"


async def test_z_image_answers_with_the_text_too(
    http: httpx.AsyncClient,
) -> None:
    body = (
        await http.post(
            MM, json=mm("z-image-turbo", size="1024*1024"), headers=KEY
        )
    ).json()
    message = body["output"]["choices"][0]["message"]
    assert message["content"][1] == {"text": "a fox"}
    assert message["reasoning_content"] == ""


async def test_image_generation_tasks_answer_with_one_choice_a_picture(
    http: httpx.AsyncClient,
) -> None:
    created = await http.post(IG, json=mm("wan2.6-t2i", n=2), headers=ASYNC)
    body = await wait_for_end(http, created)
    assert len(body["output"]["choices"]) == 2
    assert (
        body["output"]["choices"][0]["message"]["content"][0]["type"]
        == "image"
    )


async def test_a_task_goes_from_pending_to_an_end_with_beijing_times(
    http: httpx.AsyncClient,
) -> None:
    created = await http.post(T2I, json=t2i(), headers=ASYNC)
    assert created.json()["output"]["task_status"] == "PENDING"
    output = (await wait_for_end(http, created))["output"]
    assert output["task_status"] == "SUCCEEDED"
    assert (
        output["submit_time"] <= output["scheduled_time"] <= output["end_time"]
    )
    assert output["results"][0]["orig_prompt"] == "a fox"
    assert "task_metrics" not in output


async def test_a_failed_task_is_http_200_with_code_and_message(
    http: httpx.AsyncClient,
) -> None:
    body = await wait_for_end(
        http, await http.post(T2I, json=t2i(prompt="[fail]"), headers=ASYNC)
    )
    assert (body["output"]["task_status"], body["output"]["code"]) == (
        "FAILED",
        "InternalError",
    )
    assert "usage" not in body


async def test_a_partial_success_is_a_success_billed_by_what_came(
    http: httpx.AsyncClient, simulator: Running
) -> None:
    created = await http.post(
        I2I, json=wanx(n=3, input={"prompt": "[partial]"}), headers=ASYNC
    )
    body = await wait_for_end(http, created)
    assert body["output"]["task_metrics"] == {
        "TOTAL": 3,
        "SUCCEEDED": 2,
        "FAILED": 1,
    }
    assert body["output"]["results"][2]["code"] == "InternalError.Timeout"
    assert body["usage"]["image_count"] == 2


async def test_an_unknown_task_is_http_200_unknown(
    http: httpx.AsyncClient,
) -> None:
    body = (await http.get("/tasks/1111", headers=KEY)).json()
    assert body["output"] == {"task_id": "1111", "task_status": "UNKNOWN"}


async def test_a_task_is_forgotten_and_its_link_dead_after_24_hours(
    http: httpx.AsyncClient, simulator: Running
) -> None:
    body = await wait_for_end(
        http, await http.post(T2I, json=t2i(), headers=ASYNC)
    )
    url = body["output"]["results"][0]["url"]
    assert (await http.get(url)).status_code == 200
    await http.post(
        f"http://{simulator.host}/simulator/clock",
        json={"advance_seconds": 90_000},
    )
    assert (await http.get(url)).status_code == 403
    again = (
        await http.get(f"/tasks/{body['output']['task_id']}", headers=KEY)
    ).json()
    assert again["output"]["task_status"] == "UNKNOWN"


async def test_a_result_link_tampered_with_is_refused(
    http: httpx.AsyncClient,
) -> None:
    body = await wait_for_end(
        http, await http.post(T2I, json=t2i(), headers=ASYNC)
    )
    url = body["output"]["results"][0]["url"]
    assert (
        await http.get(url.replace("Signature=", "Signature=0"))
    ).status_code == 403
    assert (
        await http.get(url.replace("Expires=1", "Expires=2"))
    ).status_code == 403


async def test_harmless_differences_of_clients_are_taken(
    http: httpx.AsyncClient,
) -> None:
    created = await http.post(
        T2I, json=t2i(is_async=True, negative_prompt="x"), headers=ASYNC
    )
    task_id = created.json()["output"]["task_id"]
    answer = await http.get(
        f"/tasks/{task_id}/?size=1328*1328&n=1", headers=KEY
    )
    assert answer.json()["output"]["task_id"] == task_id


# Cancel and list


async def test_only_a_pending_task_can_be_cancelled(
    http: httpx.AsyncClient,
) -> None:
    created = [
        await http.post(T2I, json=t2i(), headers=ASYNC) for _ in range(2)
    ]
    await asyncio.sleep(1.05)
    slow = [await http.post(I2I, json=wanx(), headers=ASYNC) for _ in range(2)]
    for answer in [*created, *slow]:
        await wait_for_end(http, answer)
    task_id = created[0].json()["output"]["task_id"]
    answer = await http.post(f"/tasks/{task_id}/cancel", headers=KEY)
    await assert_refused(
        answer, 400, "UnsupportedOperation", "Failed to cancel the task"
    )


async def test_a_waiting_task_is_cancelled_and_never_billed() -> None:
    async with (
        serve(SimulatorConfig(time_scale=0.2, rate_limits=False)) as simulator,
        httpx.AsyncClient(base_url=simulator.url, trust_env=False) as http,
    ):
        created = [
            await http.post(T2I, json=t2i(), headers=ASYNC) for _ in range(3)
        ]
        waiting = created[2].json()["output"]["task_id"]
        assert (
            await http.post(f"/tasks/{waiting}/cancel", headers=KEY)
        ).status_code == 200
        body = (await http.get(f"/tasks/{waiting}", headers=KEY)).json()
        assert body["output"]["task_status"] == "CANCELED"
        ledger = (
            await http.get(f"http://{simulator.host}/simulator/ledger")
        ).json()
        assert [task["images_billed"] for task in ledger["tasks"]] == [0, 0, 0]


async def test_the_list_is_paged_in_epoch_milliseconds_without_prompts(
    http: httpx.AsyncClient,
) -> None:
    for _ in range(2):
        await wait_for_end(
            http, await http.post(T2I, json=t2i(), headers=ASYNC)
        )
    body = (
        await http.get(
            "/tasks?page_no=1&page_size=1&model_name=qwen-image-plus&status=SUCCEEDED",
            headers=KEY,
        )
    ).json()
    assert (body["total"], body["total_page"], len(body["data"])) == (2, 2, 1)
    row = body["data"][0]
    assert row["gmt_create"] > 1_700_000_000_000
    assert not {"prompt", "results", "url"} & set(row)
    assert (await http.get("/tasks?status=FAILED", headers=KEY)).json()[
        "total"
    ] == 0


# Limits


async def test_a_third_submit_in_a_second_is_refused(
    http: httpx.AsyncClient, simulator: Running
) -> None:
    answers = [
        await http.post(T2I, json=t2i(), headers=ASYNC) for _ in range(3)
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["code"] == "Throttling.RateQuota"
    assert simulator.account.refused_submits == 1


async def test_the_largest_models_take_two_a_minute(
    http: httpx.AsyncClient,
) -> None:
    answers = [
        await http.post(MM, json=mm("qwen-image-max"), headers=KEY)
        for _ in range(2)
    ]
    await asyncio.sleep(1.1)
    answers.append(await http.post(MM, json=mm("qwen-image-max"), headers=KEY))
    assert [answer.status_code for answer in answers] == [200, 200, 429]


async def test_more_than_twenty_queries_a_second_are_refused(
    http: httpx.AsyncClient,
) -> None:
    answers = await asyncio.gather(
        *(http.get("/tasks/x", headers=KEY) for _ in range(30))
    )
    assert sorted({answer.status_code for answer in answers}) == [200, 429]


async def test_tasks_beyond_two_running_wait_as_pending_or_are_refused_as_chosen() -> (
    None
):
    for overflow, expected in [
        ("queue", [200, 200, 200]),
        ("refuse", [200, 200, 429]),
    ]:
        config = SimulatorConfig(
            time_scale=0.05, rate_limits=True, overflow=overflow
        )
        async with (
            serve(config) as simulator,
            httpx.AsyncClient(base_url=simulator.url, trust_env=False) as http,
        ):
            answers = [
                await http.post(T2I, json=t2i(), headers=ASYNC)
                for _ in range(2)
            ]
            simulator.account._submits.clear()
            answers.append(await http.post(T2I, json=t2i(), headers=ASYNC))
            assert [answer.status_code for answer in answers] == expected
            assert simulator.account.max_running["qwen-image-plus"] == 2


# Pictures in


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF", "WEBP"])
async def test_the_documented_formats_are_read(
    http: httpx.AsyncClient, kind: str
) -> None:
    body = await wait_for_end(
        http,
        await http.post(
            I2I, json=wanx(base=data_uri(kind=kind)), headers=ASYNC
        ),
    )
    assert body["output"]["task_status"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("base", "message"),
    [
        (
            data_uri((500, 600)),
            "the size of input image is too small or too large.",
        ),
        (
            data_uri((5000, 600)),
            "the size of input image is too small or too large.",
        ),
        (data_uri(kind="GIF"), "image format error"),
        (
            "data:image/png;base64,AAAA",
            "Invalid image format or corrupted file",
        ),
        (
            "data:image/png;base64,!!!!",
            "Invalid image format or corrupted file",
        ),
        ("ftp://x/y.png", "The provided URL does not appear to be valid"),
        ("http://127.0.0.1:1/x.png", "download image failed"),
    ],
)
async def test_a_bad_picture_fails_a_task_soon_in_the_vendors_words(
    http: httpx.AsyncClient, base: str, message: str
) -> None:
    body = await wait_for_end(
        http, await http.post(I2I, json=wanx(base=base), headers=ASYNC)
    )
    assert body["output"]["task_status"] == "FAILED"
    assert message in body["output"]["message"]


async def test_a_synchronous_model_refuses_a_bad_picture_at_once(
    http: httpx.AsyncClient,
) -> None:
    body = mm("qwen-image-edit", images=("data:image/png;base64,AAAA",))
    await assert_refused(
        await http.post(MM, json=body, headers=KEY),
        400,
        "InvalidParameter",
        "Invalid image format",
    )


async def test_a_data_uri_over_ten_megabytes_is_refused(
    http: httpx.AsyncClient,
) -> None:
    body = mm(
        "qwen-image-edit",
        images=("data:image/png;base64," + "A" * 10_485_760,),
    )
    await assert_refused(
        await http.post(MM, json=body, headers=KEY),
        400,
        "InvalidParameter",
        "Exceeded limit on max bytes",
    )


async def test_wan_models_take_no_transparency(
    http: httpx.AsyncClient,
) -> None:
    body = {
        "model": "wan2.5-i2i-preview",
        "input": {"prompt": "x", "images": [data_uri(mode="RGBA")]},
    }
    ended_body = await wait_for_end(
        http, await http.post(I2I, json=body, headers=ASYNC)
    )
    assert ended_body["output"]["message"] == "image format error"


async def test_the_mask_must_be_there_and_of_the_pictures_size(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.post(
        I2I, json=wanx("description_edit_with_mask"), headers=ASYNC
    )
    await assert_refused(answer, 400, "InvalidParameter", "mask_image_url")
    wrong = wanx(
        "description_edit_with_mask",
        input={"mask_image_url": data_uri((640, 520))},
    )
    body = await wait_for_end(
        http, await http.post(I2I, json=wrong, headers=ASYNC)
    )
    assert "same size" in body["output"]["message"]


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        ("stylization_all", {"strength": 1.5}),
        ("expand", {"left_scale": 2.5}),
        ("expand", {"top_scale": 0.5}),
        ("super_resolution", {"upscale_factor": 5}),
        ("super_resolution", {"upscale_factor": 1.5}),
    ],
)
async def test_a_function_parameter_out_of_range_is_refused(
    http: httpx.AsyncClient, function: str, parameters: dict[str, float]
) -> None:
    answer = await http.post(
        I2I, json={**wanx(function), "parameters": parameters}, headers=ASYNC
    )
    await assert_refused(
        answer,
        400,
        "InvalidParameter",
        "the parameters must conform to the specification",
    )


async def test_an_unknown_function_or_a_missing_prompt_is_refused(
    http: httpx.AsyncClient,
) -> None:
    await assert_refused(
        await http.post(I2I, json=wanx("remove_watermaker"), headers=ASYNC),
        400,
        "InvalidParameter",
        "function",
    )
    missing = wanx()
    del missing["input"]["prompt"]
    await assert_refused(
        await http.post(I2I, json=missing, headers=ASYNC),
        400,
        "InvalidParameter",
        "prompt",
    )


async def test_moderation_and_account_refusals_are_brought_about_by_words(
    http: httpx.AsyncClient,
) -> None:
    for word, code in [
        ("[moderation]", "DataInspectionFailed"),
        ("[ip]", "IPInfringementSuspect"),
        ("[arrearage]", "Arrearage"),
    ]:
        await assert_refused(
            await http.post(MM, json=mm("qwen-image", word), headers=KEY),
            400,
            code,
            "",
        )
    body = await wait_for_end(
        http,
        await http.post(
            T2I, json=t2i(prompt="[moderation-output]"), headers=ASYNC
        ),
    )
    assert body["output"]["message"].startswith("Output data")


# Temporary uploads


async def _upload(
    http: httpx.AsyncClient, model: str, data: bytes
) -> tuple[httpx.Response, str]:
    policy = (
        await http.get(f"/uploads?action=getPolicy&model={model}", headers=KEY)
    ).json()["data"]
    key = f"{policy['upload_dir']}/x.png"
    fields = {
        "OSSAccessKeyId": policy["oss_access_key_id"],
        "Signature": policy["signature"],
        "policy": policy["policy"],
        "key": key,
        "success_action_status": "200",
    }
    return await http.post(
        policy["upload_host"], data=fields, files={"file": ("x.png", data)}
    ), f"oss://{key}"


async def test_an_uploaded_picture_is_used_by_its_oss_address_with_the_header(
    http: httpx.AsyncClient, photo: bytes
) -> None:
    stored, address = await _upload(http, "qwen-image-edit", photo)
    assert stored.status_code == 200
    body = mm("qwen-image-edit", images=(address,))
    resolve = {**KEY, "X-DashScope-OssResourceResolve": "enable"}
    assert (await http.post(MM, json=body, headers=resolve)).status_code == 200
    await assert_refused(
        await http.post(MM, json=body, headers=KEY),
        400,
        "InvalidParameter",
        "does not appear to be valid",
    )
    other = mm("qwen-image-edit-plus", images=(address,))
    answer = await http.post(MM, json=other, headers=resolve)
    await assert_refused(
        answer, 400, "InvalidParameter.DataInspection", "Failed to find"
    )


async def test_an_upload_policy_dies_after_five_minutes_and_the_file_after_two_days(
    http: httpx.AsyncClient, simulator: Running, photo: bytes
) -> None:
    _, address = await _upload(http, "qwen-image-edit", photo)
    simulator.account.advance(49 * 3600)
    resolve = {**KEY, "X-DashScope-OssResourceResolve": "enable"}
    answer = await http.post(
        MM, json=mm("qwen-image-edit", images=(address,)), headers=resolve
    )
    assert answer.status_code == 400


# The pictures themselves


async def _wanx_picture(
    http: httpx.AsyncClient, function: str, base: bytes, **changes: Any
) -> Image.Image:
    uri = f"data:image/png;base64,{base64.b64encode(base).decode()}"
    body = await wait_for_end(
        http,
        await http.post(
            I2I, json=wanx(function, uri, **changes), headers=ASYNC
        ),
    )
    assert body["output"]["task_status"] == "SUCCEEDED", body
    return (await picture(http, body["output"]["results"][0]["url"])).convert(
        "RGB"
    )


def _png(size: tuple[int, int]) -> tuple[bytes, Image.Image]:
    image = Image.effect_noise(size, 90).convert("RGB")
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue(), image


async def test_the_mask_is_respected_to_the_pixel(
    http: httpx.AsyncClient,
) -> None:
    data, base = _png((600, 520))
    mask = Image.new("RGB", (600, 520))
    mask.paste((255, 255, 255), (100, 120, 300, 400))
    buffer = io.BytesIO()
    mask.save(buffer, "PNG")
    uri = (
        f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    )
    made = await _wanx_picture(
        http,
        "description_edit_with_mask",
        data,
        input={"mask_image_url": uri, "prompt": "a green meadow"},
    )
    box = (100, 120, 300, 400)
    inside = zip(
        made.crop(box).get_flattened_data(),
        base.crop(box).get_flattened_data(),
        strict=True,
    )
    assert all(new != old for new, old in inside)
    made.paste((0, 0, 0), box)
    base.paste((0, 0, 0), box)
    assert made.tobytes() == base.tobytes()


async def test_expanding_keeps_the_picture_and_grows_the_canvas_by_the_guides_rule(
    http: httpx.AsyncClient,
) -> None:
    data, base = _png((600, 520))
    made = await _wanx_picture(
        http, "expand", data, left_scale=1.5, right_scale=1.5, top_scale=2.0
    )
    assert made.size == (900, 780)
    assert made.crop((150, 260, 750, 780)).tobytes() == base.tobytes()


async def test_upscaling_multiplies_the_size(http: httpx.AsyncClient) -> None:
    data, _ = _png((520, 512))
    assert (
        await _wanx_picture(http, "super_resolution", data, upscale_factor=2)
    ).size == (
        1040,
        1024,
    )


async def test_colour_comes_into_a_grey_picture(
    http: httpx.AsyncClient,
) -> None:
    data, base = _png((600, 520))
    made = await _wanx_picture(
        http, "colorization", data, input={"prompt": "blue"}
    )
    red, _, blue = made.resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
    assert abs(red - blue) > 10
    assert made.size == base.size


async def test_the_same_request_makes_the_same_picture_and_another_seed_another(
    http: httpx.AsyncClient,
) -> None:
    urls = []
    for seed in (1, 1, 2):
        body = (
            await http.post(
                MM,
                json=mm("z-image-turbo", size="512*512", seed=seed),
                headers=KEY,
            )
        ).json()
        urls.append(
            body["output"]["choices"][0]["message"]["content"][0]["image"]
        )
        await asyncio.sleep(0.5)
    first, second, third = [(await http.get(url)).content for url in urls]
    assert first == second != third


# Faults on request


@pytest.mark.parametrize(
    ("kind", "check"),
    [
        (
            "html",
            lambda answer: answer.headers["content-type"].startswith(
                "text/html"
            ),
        ),
        ("empty", lambda answer: answer.content == b""),
        ("truncated_json", lambda answer: answer.text.endswith('"ab')),
        ("json_array", lambda answer: answer.json() == [1, 2]),
        ("status", lambda answer: answer.status_code == 503),
        ("redirect", lambda answer: answer.status_code == 302),
    ],
)
async def test_a_fault_is_had_once_when_asked_for(
    http: httpx.AsyncClient, simulator: Running, kind: str, check: Any
) -> None:
    fault = {"where": "query", "kind": kind, "status": 503}
    await http.post(f"http://{simulator.host}/simulator/faults", json=[fault])
    assert check(await http.get("/tasks/x", headers=KEY))
    assert (await http.get("/tasks/x", headers=KEY)).json()["output"][
        "task_status"
    ] == "UNKNOWN"


async def test_a_connection_is_dropped_before_or_after_the_effect(
    http: httpx.AsyncClient, simulator: Running
) -> None:
    for kind, accepted in [("drop_before", 0), ("drop_after", 1)]:
        simulator.account.faults.append({"where": "submit", "kind": kind})
        with pytest.raises(httpx.RemoteProtocolError):
            await http.post(T2I, json=t2i(), headers=ASYNC)
        assert len(simulator.account.tasks) == accepted


async def test_it_stops_in_the_middle_of_a_synchronous_call(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with (
        serve(SimulatorConfig()) as running,
        httpx.AsyncClient(base_url=running.url, trust_env=False) as http,
    ):
        waiting = asyncio.create_task(
            http.post(MM, json=mm("qwen-image-2.0"), headers=KEY)
        )
        while not running.account.tasks:
            await asyncio.sleep(0.01)
        await running.account.close()
        await assert_refused(
            await waiting, 500, "InternalError", "Internal server error!"
        )
    assert not [
        record for record in caplog.records if record.levelname == "ERROR"
    ]
