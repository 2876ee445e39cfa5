"""What every provider must do, with tasks or at once, with links or with bytes."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from PIL import Image

from bot.clock import WallClock
from bot.providers import PROVIDERS, http_client, load_catalog
from bot.simulator.server import Running, SimulatorConfig, serve
from core.catalog import Catalog
from core.errors import Charged, Misconfigured, Refused, Retryable, Uncertain
from core.operations import Action
from core.ports import Blobs, Provider
from core.providers.dashscope.client import DashScope
from core.size import Size
from core.storage.blobs import open_blobs
from core.types import (
    ImageResult,
    Outcome,
    Picture,
    StepId,
    Task,
    Tenant,
    Work,
)
from tests.fakes.images.api import KEY, ImagesApi, serve_images
from tests.fakes.images.provider import ACCOUNT, ImagesProvider, images_kind
from tests.fakes.steps import dashscope

TENANT = "test:w"
NOWHERE = "http://127.0.0.1:9"
CATALOG = load_catalog({**PROVIDERS, "images": images_kind(NOWHERE)})


@dataclass(frozen=True, kw_only=True)
class Stand:
    """A provider, and the service behind it as a test sees and upsets it.

    ``connect`` speaks to another address or with another key. ``upset`` makes the next submit be
    refused for load ("busy"), lose its answer ("lose") or answer nonsense ("nonsense").
    ``accepted`` are the submits the service has taken.
    """

    draw: Work
    edit: Work
    connect: Callable[..., Provider]
    upset: Callable[[str], None]
    accepted: Callable[[], int]
    simulator: Running | None = None

    @property
    def provider(self) -> Provider:
        return self.connect()

    @property
    def makes_tasks(self) -> bool:
        return not CATALOG.model(self.draw.model).is_sync


def work(model: str, action: Action, *inputs: Picture, **changes: Any) -> Work:
    rule = CATALOG.model(model)
    account = dashscope() if rule.provider == "dashscope" else ACCOUNT
    plain = Work(
        step=StepId("s1"),
        tenant=Tenant(TENANT),
        model=model,
        account=account.name,
        action=action,
        prompt="a red fox in the snow",
        negative=None,
        n=1,
        size=rule.size.default,
        seed=7,
        prompt_extend=False,
        watermark=False,
        inputs=inputs,
    )
    return replace(plain, **changes)


async def photo(blobs: Blobs) -> Picture:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((800, 600)).convert("RGB").save(
        buffer, "PNG"
    )
    content = buffer.getvalue()
    key = await blobs.keep(TENANT, content)
    return Picture(
        key=key,
        width=800,
        height=600,
        media_type="image/png",
        length=len(content),
    )


@pytest_asyncio.fixture(
    params=["dashscope tasks", "dashscope at once", "images api"]
)
async def stand(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Stand]:
    blobs = open_blobs((tmp_path / "blobs").as_uri())
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(http_client())
        picture = await photo(blobs)
        if request.param == "images api":
            api = await stack.enter_async_context(serve_images())
            yield images_stand(api, client, blobs, picture)
            return
        config = SimulatorConfig(time_scale=0.01, seed=5)
        simulator = await stack.enter_async_context(serve(config))
        models = ("qwen-image-2.0", "qwen-image-2.0")
        if request.param == "dashscope tasks":
            models = ("qwen-image-plus", "wan2.5-i2i-preview")
        yield dashscope_stand(stack, simulator, client, blobs, picture, models)


def dashscope_stand(
    stack: AsyncExitStack,
    simulator: Running,
    client: httpx.AsyncClient,
    blobs: Blobs,
    picture: Picture,
    models: tuple[str, str],
) -> Stand:
    account = simulator.account
    where = "sync" if CATALOG.model(models[0]).is_sync else "submit"
    faults: dict[str, dict[str, Any]] = {
        "busy": {
            "kind": "status",
            "status": 429,
            "code": "Throttling.RateQuota",
        },
        "lose": {"kind": "drop_after"},
        "nonsense": {"kind": "html"},
    }

    def connect(
        url: str = simulator.url, key: str = account.config.api_key
    ) -> DashScope:
        provider = DashScope(
            account=dashscope(),
            client=client,
            base_url=url,
            api_key=key,
            catalog=CATALOG,
            read=blobs.read,
            result_hosts=[simulator.host],
            clock=WallClock(),
        )
        stack.push_async_callback(provider.close)
        return provider

    return Stand(
        draw=work(models[0], Action.DRAW),
        edit=work(models[1], Action.EDIT, picture),
        connect=connect,
        upset=lambda kind: account.faults.append(
            {"where": where, **faults[kind]}
        ),
        accepted=lambda: len(account.tasks),
        simulator=simulator,
    )


def images_stand(
    api: ImagesApi, client: httpx.AsyncClient, blobs: Blobs, picture: Picture
) -> Stand:
    def connect(url: str = api.url, key: str = KEY) -> ImagesProvider:
        return ImagesProvider(
            client=client,
            base_url=url,
            api_key=key,
            catalog=CATALOG,
            read=blobs.read,
        )

    return Stand(
        draw=work("picture-1", Action.DRAW),
        edit=work("picture-1", Action.EDIT, picture),
        connect=connect,
        upset=api.faults.append,
        accepted=lambda: len(api.accepted),
    )


async def make(provider: Provider, asked: Work) -> Outcome:
    """Submit, and wait where there is something to wait for."""
    sent = await provider.submit(asked)
    return await provider.wait(asked, sent) if isinstance(sent, Task) else sent


async def content_of(provider: Provider, result: ImageResult) -> bytes:
    if result.content is not None:
        return result.content
    assert result.url
    return await provider.download(result.url)


async def size_of(provider: Provider, result: ImageResult) -> Size:
    with Image.open(io.BytesIO(await content_of(provider, result))) as image:
        image.load()
        return Size(width=image.width, height=image.height)


async def test_a_drawing_is_a_whole_picture_of_the_size_asked_for(
    stand: Stand,
) -> None:
    provider = stand.provider
    assert CATALOG.model(stand.draw.model).is_served_by(provider.account)
    assert provider.clock_ahead is None
    outcome = await make(provider, stand.draw)
    assert outcome.request_id
    assert (outcome.billed, outcome.text) == (1, None)
    [result] = outcome.made
    assert result.is_made
    assert not result.error
    assert await size_of(provider, result) == stand.draw.size
    assert stand.accepted() == 1


async def test_a_link_says_until_when_it_lives(stand: Stand) -> None:
    outcome = await make(stand.provider, stand.draw)
    if any(result.url for result in outcome.made):
        assert outcome.expires
        assert outcome.expires > datetime.now(UTC) + timedelta(hours=1)


async def test_an_edit_is_made_of_the_picture_sent_with_it(
    stand: Stand,
) -> None:
    provider = stand.provider
    outcome = await make(provider, stand.edit)
    drawn = await make(provider, replace(stand.draw, prompt=stand.edit.prompt))
    edited = await content_of(provider, outcome.made[0])
    assert edited != await content_of(provider, drawn.made[0])


async def test_a_refusal_of_the_content_is_final_and_free(
    stand: Stand,
) -> None:
    with pytest.raises(Refused) as caught:
        await make(
            stand.provider, replace(stand.draw, prompt="[moderation] a fox")
        )
    assert caught.value.key == "provider.moderation_input"
    assert caught.value.charged is Charged.NO
    assert caught.value.request_id
    assert stand.accepted() == 0


async def test_a_value_the_service_does_not_take_is_refused_and_free(
    stand: Stand,
) -> None:
    with pytest.raises(Refused) as caught:
        await make(
            stand.provider, replace(stand.draw, size=Size(width=8, height=8))
        )
    assert caught.value.key in {"provider.parameter", "provider.picture_size"}
    assert caught.value.charged is Charged.NO
    assert stand.accepted() == 0


async def test_a_key_the_service_does_not_know_is_the_operators_matter(
    stand: Stand,
) -> None:
    with pytest.raises(Misconfigured) as caught:
        await make(stand.connect(key="sk-wrong"), stand.draw)
    assert caught.value.key == "provider.key"
    assert "sk-wrong" not in str(caught.value)
    assert stand.accepted() == 0


async def test_a_refusal_for_load_may_be_sent_again(stand: Stand) -> None:
    stand.upset("busy")
    with pytest.raises(Retryable) as caught:
        await stand.provider.submit(stand.draw)
    assert caught.value.key == "provider.busy"
    assert caught.value.charged is Charged.NO
    assert stand.accepted() == 0
    assert (await make(stand.provider, stand.draw)).billed == 1


async def test_a_service_that_is_away_has_certainly_taken_nothing(
    stand: Stand,
) -> None:
    away = stand.connect(url=NOWHERE)
    with pytest.raises(Retryable) as caught:
        await away.submit(stand.draw)
    assert caught.value.key == "provider.unreachable"
    assert not away.is_answering


@pytest.mark.parametrize("trouble", ["lose", "nonsense"])
async def test_a_lost_or_senseless_answer_may_have_been_billed(
    stand: Stand, trouble: str
) -> None:
    stand.upset(trouble)
    with pytest.raises(Uncertain) as caught:
        await stand.provider.submit(stand.draw)
    assert caught.value.charged is Charged.MAYBE


async def test_a_lost_submit_is_found_or_said_to_be_beyond_finding(
    stand: Stand,
) -> None:
    provider, since = stand.provider, datetime.now(UTC) - timedelta(minutes=2)
    stand.upset("lose")
    with pytest.raises(Uncertain):
        await provider.submit(stand.draw)
    assert stand.accepted() == 1
    if not stand.makes_tasks:
        with pytest.raises(Uncertain) as caught:
            await provider.find(stand.draw, since, [])
        assert caught.value.charged is Charged.MAYBE
        return
    found = await provider.find(stand.draw, since, [])
    assert found
    assert (await provider.wait(stand.draw, found)).billed == 1
    assert stand.accepted() == 1


@pytest.mark.parametrize("stand", ["dashscope tasks"], indirect=True)
async def test_nothing_is_found_of_what_never_arrived_or_is_recorded_already(
    stand: Stand,
) -> None:
    provider, since = stand.provider, datetime.now(UTC) - timedelta(minutes=2)
    assert await provider.find(stand.draw, since, []) is None
    sent = await provider.submit(stand.draw)
    assert isinstance(sent, Task)
    assert await provider.find(stand.draw, since, [sent.id]) is None
    other = replace(stand.draw, prompt="something else")
    await provider.wait(stand.draw, sent)
    assert await provider.find(other, since, []) is None


async def test_what_runs_or_is_over_cannot_be_cancelled(stand: Stand) -> None:
    provider = stand.provider
    sent = await provider.submit(stand.draw)
    task = sent if isinstance(sent, Task) else Task(id="none", request_id="")
    if isinstance(sent, Task):
        await provider.wait(stand.draw, sent)
    assert await provider.cancel(task) is False


@pytest.mark.parametrize("stand", ["dashscope tasks"], indirect=True)
async def test_a_task_in_line_is_cancelled_and_ends_as_cancelled(
    stand: Stand,
) -> None:
    provider = stand.provider
    assert stand.simulator
    stand.simulator.account.config = SimulatorConfig(durations=(60, 60))
    running = CATALOG.model(stand.draw.model).running_limit
    assert running
    for _ in range(running):
        await provider.submit(stand.draw)
    last = await provider.submit(stand.draw)
    assert isinstance(last, Task)
    waiting = asyncio.create_task(provider.wait(stand.draw, last))
    await asyncio.sleep(0)
    assert await provider.cancel(last) is True
    with pytest.raises(Refused) as caught:
        await asyncio.wait_for(waiting, 60)
    assert caught.value.key == "provider.cancelled"
    assert caught.value.charged is Charged.NO


async def test_who_stops_waiting_may_wait_again(stand: Stand) -> None:
    provider = stand.provider
    if not stand.makes_tasks:
        first = asyncio.create_task(provider.submit(stand.draw))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert (await make(provider, stand.draw)).billed == 1
        return
    sent = await provider.submit(stand.draw)
    assert isinstance(sent, Task)
    waiting = asyncio.create_task(provider.wait(stand.draw, sent))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    both = [
        asyncio.create_task(provider.wait(stand.draw, sent)) for _ in range(2)
    ]
    outcomes = await asyncio.wait_for(asyncio.gather(*both), 60)
    assert outcomes[0].billed == 1
    assert outcomes[0].made == outcomes[1].made
    assert stand.accepted() == 1


async def test_a_task_the_service_has_forgotten_is_uncertain(
    stand: Stand,
) -> None:
    gone = Task(id="0" * 8, request_id="")
    with pytest.raises(Uncertain) as caught:
        await asyncio.wait_for(stand.provider.wait(stand.draw, gone), 60)
    assert caught.value.charged is Charged.MAYBE


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest",
        "http://100.100.100.200/latest/meta-data/",
        "https://results.example.com/1.png",
        "http://a:abc/",
        "https://a\x7f/",
        "https://[::1/",
    ],
)
async def test_nothing_is_fetched_from_a_host_that_is_not_the_services(
    stand: Stand, url: str
) -> None:
    with pytest.raises(Refused) as caught:
        await stand.provider.download(url)
    assert caught.value.key == "provider.result_host"


async def test_many_at_once_each_get_their_own(stand: Stand) -> None:
    provider = stand.provider
    prompts = ["a red fox", "a blue sea", "a green meadow"]
    works = [replace(stand.draw, prompt=prompt) for prompt in prompts]
    outcomes = await asyncio.gather(*(make(provider, one) for one in works))
    contents = {
        await content_of(provider, outcome.made[0]) for outcome in outcomes
    }
    assert len(contents) == 3
    assert stand.accepted() == 3


async def test_a_model_that_describes_answers_with_words(
    tmp_path: Path,
) -> None:
    blobs = open_blobs((tmp_path / "blobs").as_uri())
    async with serve_images() as api, http_client() as client:
        stand = images_stand(api, client, blobs, await photo(blobs))
        asked = replace(
            stand.edit, model="describer-1", prompt="What is it?", size=None
        )
        outcome = await make(stand.provider, asked)
    assert outcome.text == "A picture of 800 by 600 pixels."
    assert (outcome.made, outcome.billed) == ((), 1)


def test_every_model_in_the_catalogue_is_of_a_provider_that_is_built_in() -> (
    None
):
    catalog: Catalog = load_catalog()
    assert {model.provider for model in catalog.models.values()} <= set(
        PROVIDERS
    )
    regions = {region.provider for region in catalog.regions.values()}
    assert regions <= set(PROVIDERS)
