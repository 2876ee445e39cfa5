"""The wire protocol: requests as the vendor's pages show them, answers never trusted."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.catalog import Catalog
from core.errors import (
    Misconfigured,
    ProviderError,
    Refused,
    Retryable,
    Uncertain,
)
from core.operations import Action
from core.options import Options
from core.providers.dashscope import calls, catalog_text, protocol
from core.providers.dashscope.calls import Call
from core.providers.dashscope.errors import error_for
from core.providers.dashscope.protocol import Reply, TaskState
from core.size import Size
from core.types import (
    ImageResult,
    Outcome,
    Picture,
    StepId,
    Task,
    Tenant,
    Work,
)

CATALOG = Catalog.load(catalog_text())
NOW = datetime(2026, 11, 20, tzinfo=UTC)
PHOTO = Picture(
    key="a" * 64, width=600, height=400, media_type="image/png", length=10
)
MASK = Picture(
    key="b" * 64, width=600, height=400, media_type="image/png", length=10
)
LINK = "https://dashscope-result-sz.oss-cn-shenzhen.aliyuncs.com/x.png?Expires=1795300000"


def work(**changes: Any) -> Work:
    plain = Work(
        step=StepId("s1"),
        tenant=Tenant("t:w"),
        model="qwen-image-plus",
        account="beijing",
        action=Action.DRAW,
        prompt="a fox",
        negative=None,
        n=1,
        size=Size(width=1328, height=1328),
        seed=7,
        prompt_extend=True,
        watermark=False,
    )
    return replace(plain, **changes)


def build_call(
    one: Work, live: dict[str, str] | None = None
) -> tuple[Call, dict[str, Any]]:
    """The call, and its body with each picture shown as <key>."""
    call = calls.submit_call(one, CATALOG.model(one.model), live or {})
    text = b"".join(
        piece if isinstance(piece, bytes) else f"<{piece.key[0]}>".encode()
        for piece in call.body
    )
    return call, json.loads(text)


def reply(
    body: Any, status: int = 200, kind: str = "application/json"
) -> Reply:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status=status, headers={"content-type": kind}, body=data)


def task_reply(**output: Any) -> Reply:
    return reply({"request_id": "r1", "output": {"task_id": "t1", **output}})


def submitted(answer: Reply, model: str = "qwen-image-plus") -> Task | Outcome:
    return protocol.parse_submit(answer, CATALOG.model(model), NOW)


def read_outcome(answer: Reply) -> Outcome:
    return protocol.task_outcome(protocol.parse_task(answer, "t1"), NOW)


def test_a_drawing_is_asked_for_as_a_task_where_the_model_has_one() -> None:
    call, body = build_call(work(negative="blurry"))
    assert (call.method, call.path) == (
        "POST",
        "/services/aigc/text2image/image-synthesis",
    )
    assert call.headers["X-DashScope-Async"] == "enable"
    assert body == {
        "model": "qwen-image-plus",
        "input": {"prompt": "a fox", "negative_prompt": "blurry"},
        "parameters": {
            "seed": 7,
            "n": 1,
            "size": "1328*1328",
            "prompt_extend": True,
            "watermark": False,
        },
    }


def test_an_edit_sends_its_pictures_before_the_text_and_never_the_async_header() -> (
    None
):
    one = work(
        model="qwen-image-edit-plus",
        action=Action.EDIT,
        inputs=(PHOTO, MASK),
        n=2,
    )
    call, body = build_call(one)
    assert call.path == "/services/aigc/multimodal-generation/generation"
    assert "X-DashScope-Async" not in call.headers
    assert body["input"]["messages"] == [
        {
            "role": "user",
            "content": [{"image": "<a>"}, {"image": "<b>"}, {"text": "a fox"}],
        }
    ]
    assert body["parameters"]["n"] == 2
    assert body["parameters"]["size"] == "1328*1328"


def test_a_masked_edit_is_built_as_the_vendors_example() -> None:
    one = work(
        model="wanx2.1-imageedit",
        action=Action.INPAINT,
        inputs=(PHOTO,),
        mask=MASK,
        size=None,
    )
    call, body = build_call(one)
    assert call.path == "/services/aigc/image2image/image-synthesis"
    assert body["input"] == {
        "function": "description_edit_with_mask",
        "prompt": "a fox",
        "base_image_url": "<a>",
        "mask_image_url": "<b>",
    }
    assert body["parameters"] == {"seed": 7, "n": 1, "watermark": False}


def test_an_expansion_sends_its_four_sides() -> None:
    one = work(
        model="wanx2.1-imageedit",
        action=Action.EXPAND,
        inputs=(PHOTO,),
        size=None,
        options=Options(left=1.5, right=1.5, top=1.0, bottom=1.0),
    )
    parameters = build_call(one)[1]["parameters"]
    assert {
        name: parameters[f"{name}_scale"]
        for name in ("left", "right", "top", "bottom")
    } == {
        "left": 1.5,
        "right": 1.5,
        "top": 1.0,
        "bottom": 1.0,
    }


def test_functions_that_need_no_words_send_the_vendors_own() -> None:
    for action, prompt in [
        (Action.UPSCALE, "图像超分。"),
        (Action.UNWATERMARK, "去除图像中的文字"),
        (Action.COLORIZE, ""),
    ]:
        one = work(
            model="wanx2.1-imageedit",
            action=action,
            inputs=(PHOTO,),
            size=None,
            prompt="",
        )
        assert build_call(one)[1]["input"]["prompt"] == prompt


def test_a_living_link_is_sent_instead_of_the_bytes() -> None:
    one = work(
        model="qwen-image-edit-plus", action=Action.EDIT, inputs=(PHOTO,)
    )
    call, body = build_call(one, {PHOTO.key: LINK})
    assert body["input"]["messages"][0]["content"][0] == {"image": LINK}
    assert all(isinstance(piece, bytes) for piece in call.body)


def test_a_model_without_a_parameter_is_not_sent_it() -> None:
    z = build_call(work(model="z-image-turbo", prompt_extend=False))[1][
        "parameters"
    ]
    assert set(z) == {"seed", "size", "prompt_extend"}
    edit = build_call(
        work(
            model="qwen-image-edit",
            action=Action.EDIT,
            inputs=(PHOTO,),
            size=None,
        )
    )[1]["parameters"]
    assert "size" not in edit
    assert "prompt_extend" not in edit


@given(st.text(max_size=200))
def test_no_prompt_can_pose_as_a_picture_or_break_the_json(
    prompt: str,
) -> None:
    prompt = prompt.replace("\x00", "").encode("utf-8", "ignore").decode()
    one = work(
        model="qwen-image-edit-plus",
        action=Action.EDIT,
        inputs=(PHOTO,),
        prompt=prompt,
    )
    call, body = build_call(one)
    assert body["input"]["messages"][0]["content"][1]["text"] == prompt
    assert sum(isinstance(piece, Picture) for piece in call.body) == 1


@pytest.mark.parametrize("model", list(CATALOG.models))
def test_every_model_of_the_catalogue_can_be_asked(model: str) -> None:
    known = CATALOG.model(model)
    action = min(known.actions)
    inputs = () if action is Action.DRAW else (PHOTO,)
    call, body = build_call(
        work(
            model=model, action=action, inputs=inputs, size=known.size.default
        )
    )
    assert body["model"] == model
    assert call.path == calls.PATHS[calls.Endpoint(known.endpoint)]


# Answers


def test_a_task_is_known_by_its_id() -> None:
    answer = submitted(
        reply(
            {
                "output": {"task_status": "PENDING", "task_id": "0385dc79-x"},
                "request_id": "r",
            }
        )
    )
    assert answer == Task(id="0385dc79-x", request_id="r")


def test_a_synchronous_answer_gives_all_pictures_of_all_choices() -> None:
    choices = [
        {"message": {"content": [{"image": LINK}, {"image": LINK}]}},
        {"message": {"content": [{"image": LINK}, {"text": "x"}]}},
    ]
    answer = submitted(
        reply(
            {
                "output": {"choices": choices},
                "usage": {"image_count": 9},
                "request_id": "r",
            }
        ),
        "qwen-image-2.0",
    )
    assert isinstance(answer, Outcome)
    assert (len(answer.made), answer.billed) == (3, 3)


def test_a_finished_task_tells_pictures_times_and_the_prompt_really_used() -> (
    None
):
    outcome = read_outcome(
        task_reply(
            task_status="SUCCEEDED",
            scheduled_time="2025-09-05 11:33:20.581",
            end_time="2025-09-05 11:33:40.807",
            results=[
                {
                    "orig_prompt": "a",
                    "actual_prompt": "a better a",
                    "url": LINK,
                }
            ],
        )
    )
    assert outcome.seconds == pytest.approx(20.226)
    assert outcome.actual_prompt == "a better a"
    assert outcome.made == (ImageResult(url=LINK),)


def test_partial_success_is_told_picture_by_picture() -> None:
    outcome = read_outcome(
        task_reply(
            task_status="SUCCEEDED",
            results=[
                {"url": LINK},
                {"code": "InternalError.Timeout", "message": "x"},
            ],
        )
    )
    assert outcome.made == (
        ImageResult(url=LINK),
        ImageResult(error="provider.hiccup"),
    )
    assert outcome.billed == 1


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("html", reply(b"<html>hotel</html>", kind="text/html")),
        ("empty", reply(b"")),
        ("a list", reply([1, 2])),
        ("null", reply(None)),
        ("cut off", reply(b'{"output": {"task')),
        ("not a number", reply(b'{"output": NaN}')),
        ("too long", reply(b'{"a": "' + b"x" * (protocol.MAX_BODY + 1))),
        ("too deep", reply(b"[" * 100_000)),
        ("no task id", reply({"output": {}})),
        ("task id a number", reply({"output": {"task_id": 5}})),
        ("task id too long", reply({"output": {"task_id": "x" * 10_000}})),
        ("task id a path", reply({"output": {"task_id": "../../x"}})),
        (
            "broken inside",
            reply({"code": "InternalError", "message": "x"}, 500),
        ),
        ("broken, html", reply(b"<html>", 502, "text/html")),
    ],
)
def test_an_answer_to_a_submit_past_understanding_is_uncertain(
    name: str, answer: Reply
) -> None:
    with pytest.raises(Uncertain) as caught:
        submitted(answer)
    assert caught.value.charged == "maybe", name


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'{"output": 5}',
        b"<html>",
        b'{"output": {"task_id": "other"}}',
    ],
)
def test_an_odd_answer_about_a_task_is_asked_for_again(body: bytes) -> None:
    with pytest.raises(Retryable):
        protocol.parse_task(reply(body), "t1")


def test_an_answer_about_another_task_is_not_believed() -> None:
    with pytest.raises(Retryable):
        protocol.parse_task(task_reply(task_status="SUCCEEDED"), "t2")


@pytest.mark.parametrize("word", ["SUCEEDED", "succeeded", "DREAMING", ""])
def test_an_unknown_word_counts_as_running(word: str) -> None:
    assert (
        protocol.parse_task(task_reply(task_status=word), "t1").state
        is TaskState.RUNNING
    )


@pytest.mark.parametrize(
    "results", [[], None, "x", [{}], [{"url": "javascript:alert(1)"}], [5]]
)
def test_f37_up_11_a_success_without_a_picture_is_a_failure(
    results: Any,
) -> None:
    with pytest.raises(Refused, match=r"provider\.empty"):
        read_outcome(task_reply(task_status="SUCCEEDED", results=results))


def test_nine_pictures_for_one_are_capped() -> None:
    outcome = read_outcome(
        task_reply(task_status="SUCCEEDED", results=[{"url": LINK}] * 100)
    )
    assert len(outcome.made) == protocol.MAX_PICTURES


def test_pictures_are_counted_not_believed() -> None:
    answer = reply(
        {
            "request_id": "r",
            "output": {
                "task_id": "t1",
                "task_status": "SUCCEEDED",
                "results": [{"url": LINK}],
            },
            "usage": {"image_count": 4},
        }
    )
    assert read_outcome(answer).billed == 1


@pytest.mark.parametrize(
    ("state", "error", "key"),
    [
        (
            {
                "task_status": "FAILED",
                "code": "DataInspectionFailed",
                "message": "Output data may contain inappropriate content.",
            },
            Refused,
            "provider.moderation_output",
        ),
        (
            {
                "task_status": "FAILED",
                "code": "DataInspectionFailed",
                "message": "Input data may contain…",
            },
            Refused,
            "provider.moderation_input",
        ),
        (
            {
                "task_status": "FAILED",
                "code": "InternalError.Algo",
                "message": "x",
            },
            Retryable,
            "provider.hiccup",
        ),
        (
            {
                "task_status": "FAILED",
                "code": "BadRequest.InputDownloadFailed",
                "message": "x",
            },
            Refused,
            "provider.picture_unreachable",
        ),
        ({"task_status": "FAILED"}, Refused, "provider.parameter"),
        ({"task_status": "CANCELED"}, Refused, "provider.cancelled"),
        ({"task_status": "UNKNOWN"}, Uncertain, "provider.expired"),
    ],
)
def test_an_unhappy_end_is_a_typed_error(
    state: dict[str, Any], error: type[ProviderError], key: str
) -> None:
    with pytest.raises(error) as caught:
        read_outcome(task_reply(**state))
    assert caught.value.key == key


@pytest.mark.parametrize(
    ("status", "code", "message", "error", "key"),
    [
        (
            429,
            "Throttling",
            "Requests throttling triggered.",
            Retryable,
            "provider.busy",
        ),
        (
            429,
            "Throttling.RateQuota",
            "Requests rate limit exceeded",
            Retryable,
            "provider.busy",
        ),
        (
            429,
            "Throttling.BurstRate",
            "Request rate increased too quickly.",
            Retryable,
            "provider.busy",
        ),
        (
            429,
            "Throttling.AllocationQuota",
            "Allocated quota exceeded",
            Retryable,
            "provider.busy",
        ),
        (
            429,
            "Throttling.AllocationQuota",
            "Free allocated quota exceeded.",
            Misconfigured,
            "provider.free_tier",
        ),
        (
            429,
            "limit_requests",
            "You exceeded your current requests list.",
            Retryable,
            "provider.busy",
        ),
        (
            400,
            "InvalidParameter",
            "url error, please check url！",
            Misconfigured,
            "provider.model",
        ),
        (
            404,
            "InvalidParameter",
            "Model not exist.",
            Misconfigured,
            "provider.model",
        ),
        (
            404,
            "ModelNotFound",
            "Model can not be found.",
            Misconfigured,
            "provider.model",
        ),
        (
            400,
            "InvalidParameter",
            "num_images_per_prompt must be 1",
            Refused,
            "provider.parameter",
        ),
        (
            400,
            "InvalidParameter",
            "image format error",
            Refused,
            "provider.picture_format",
        ),
        (
            400,
            "InvalidParameter",
            "the size of input image is too small or too large.",
            Refused,
            "provider.picture_size",
        ),
        (
            400,
            "InvalidParameter",
            "download image failed",
            Refused,
            "provider.picture_unreachable",
        ),
        (
            400,
            "InvalidURL.Timeout",
            "Download x timeout",
            Refused,
            "provider.picture_unreachable",
        ),
        (
            400,
            "IPInfringementSuspect",
            "Input data is suspected",
            Refused,
            "provider.infringement",
        ),
        (
            400,
            "InternalError.Algo.DataInspectionFailed",
            "x",
            Refused,
            "provider.moderation_input",
        ),
        (
            400,
            "Arrearage",
            "Access denied, please make sure",
            Misconfigured,
            "provider.arrears",
        ),
        (
            401,
            "InvalidApiKey",
            "Invalid API-key provided.",
            Misconfigured,
            "provider.key",
        ),
        (
            403,
            "AccessDenied",
            "current user api does not support asynchronous calls",
            Misconfigured,
            "provider.access",
        ),
        (
            403,
            "AccessDenied.Unpurchased",
            "Access to model denied.",
            Misconfigured,
            "provider.access",
        ),
        (
            403,
            "AllocationQuota.FreeTierOnly",
            "The free tier",
            Misconfigured,
            "provider.free_tier",
        ),
        (
            500,
            "InternalError",
            "An internal error has occured",
            Retryable,
            "provider.hiccup",
        ),
        (
            503,
            "ModelServingError",
            "Too many requests.",
            Retryable,
            "provider.busy",
        ),
        (
            503,
            "ModelUnavailable",
            "Model is unavailable",
            Retryable,
            "provider.hiccup",
        ),
        (418, "Teapot", "short and stout", Refused, "provider.parameter"),
    ],
)
def test_every_documented_code_is_a_typed_error(
    status: int, code: str, message: str, error: type[ProviderError], key: str
) -> None:
    found = error_for(code, message, status, "req-1")
    assert type(found) is error
    assert (found.key, found.code, found.request_id) == (key, code, "req-1")


def test_the_vendors_words_reach_nobody() -> None:
    found = error_for(
        "InvalidParameter", "secret sk-12345 <!channel>", 400, "r"
    )
    assert "sk-12345" not in repr(found) + str(found) + str(found.params)


def test_a_known_refusal_of_a_submit_is_not_uncertain() -> None:
    with pytest.raises(Retryable):
        submitted(reply({"code": "Throttling", "message": "x"}, 429))
    with pytest.raises(Refused):
        submitted(reply({"code": "DataInspectionFailed", "message": "x"}, 400))
    with pytest.raises(Misconfigured):
        submitted(reply(b"", 401, ""))


def test_a_code_inside_a_200_is_an_error() -> None:
    with pytest.raises(Misconfigured):
        submitted(
            reply({"code": "InvalidApiKey", "message": "x", "request_id": "r"})
        )


def test_cancelling_too_late_is_no_error() -> None:
    assert protocol.parse_cancel(reply({"request_id": "r"})) is True
    assert (
        protocol.parse_cancel(
            reply({"code": "UnsupportedOperation", "message": "x"}, 400)
        )
        is False
    )
    with pytest.raises(Misconfigured):
        protocol.parse_cancel(
            reply({"code": "InvalidApiKey", "message": "x"}, 401)
        )


def test_the_list_skips_rows_it_cannot_read() -> None:
    good = {
        "task_id": "t1",
        "gmt_create": 1709260684485,
        "model_name": "m",
        "status": "RUNNING",
    }
    rows = [
        good,
        {},
        5,
        {"task_id": "../x", "gmt_create": 1},
        {"task_id": "t2", "gmt_create": "x"},
    ]
    found, pages = protocol.parse_list(reply({"data": rows, "total_page": 3}))
    assert [one.id for one in found] == ["t1"]
    assert pages == 3
    assert protocol.parse_list(reply({"data": None})) == ([], 1)


@pytest.mark.parametrize("task_id", ["../x", "", "a/b", "x" * 200, "a?b"])
def test_an_id_that_is_none_never_stands_in_an_address(task_id: str) -> None:
    with pytest.raises(Uncertain):
        calls.task_call(task_id)


@given(st.binary(max_size=300), st.sampled_from([200, 400, 429, 500]))
def test_no_body_whatever_raises_anything_but_a_typed_error(
    body: bytes, status: int
) -> None:
    for parse in (
        submitted,
        lambda one: submitted(one, "qwen-image-2.0"),
        lambda one: protocol.parse_task(one, "t1"),
        protocol.parse_list,
        protocol.parse_cancel,
    ):
        try:
            parse(reply(body, status))
        except ProviderError:
            continue


def test_links_die_when_they_say_so_and_never_later_than_a_day() -> None:
    soon = "https://x.aliyuncs.com/a.png?Expires=1795132900"
    outcome = read_outcome(
        task_reply(
            task_status="SUCCEEDED",
            end_time="2026-11-20 08:00:00.000",
            results=[{"url": soon}],
        )
    )
    assert outcome.expires == datetime.fromtimestamp(1795132900, UTC)
