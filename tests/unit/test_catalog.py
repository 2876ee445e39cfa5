"""Models are data: complete, sourced, legal by their own rules; and so is the choice of one."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.providers import likenesses
from bot.simulator.models import rules_with
from core.catalog import Catalog, Choice, prompt_length
from core.errors import Rejected
from core.model_sizes import SizeKind, expansion, is_legal, nearest_size
from core.models import Model, PromptUnit
from core.operations import Action
from core.options import Options
from core.providers.dashscope import calls, catalog_text
from core.size import Size
from core.types import Account, Money
from tests.fakes.steps import dashscope

CATALOG = Catalog.load(catalog_text())
MODELS = list(CATALOG.models.values())
BEIJING = (dashscope(),)


def choose(
    action: Action,
    pictures: int = 0,
    accounts: tuple[Account, ...] = BEIJING,
    **options: object,
) -> str:
    chosen = Options(**options)  # type: ignore[arg-type]
    return CATALOG.choose(action, pictures, chosen, accounts).model.id


def test_every_model_can_be_had_from_the_simulator() -> None:
    served = rules_with(likenesses(CATALOG))
    assert set(CATALOG.models) <= set(served)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
def test_the_endpoint_of_a_model_is_one_that_dashscope_has(
    model: Model,
) -> None:
    assert calls.Endpoint(model.endpoint) in calls.PATHS
    assert model.is_sync is (model.endpoint == calls.Endpoint.MULTIMODAL)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
def test_every_model_is_sourced_and_sane(model: Model) -> None:
    assert model.source
    assert set(model.regions) <= set(CATALOG.regions)
    assert {CATALOG.regions[name].provider for name in model.regions} == {
        model.provider
    }
    assert set(model.prices) <= set(model.regions)
    assert model.prices or "price" in model.unconfirmed
    assert model.submit_limit or "submit" in model.unconfirmed
    assert model.n_range[0] == 1 <= model.n_range[1] <= 6
    assert model.picture_range[0] >= (
        1 if Action.DRAW not in model.actions else 0
    )
    assert model.size.default is None or is_legal(
        model.size, model.size.default
    )
    assert model.size.default is not None or Action.DRAW not in model.actions
    assert model.typical_seconds > 0
    assert model.like is None or model.like in CATALOG.models


@given(
    st.sampled_from(
        [model for model in MODELS if model.size.kind != SizeKind.NONE]
    ),
    st.floats(0.05, 20),
    st.floats(1e3, 1e8),
)
def test_the_nearest_size_is_always_legal(
    model: object, ratio: float, area: float
) -> None:
    rule = CATALOG.model(str(getattr(model, "id", ""))).size
    assert is_legal(rule, nearest_size(rule, ratio, area))


def test_the_usual_choices() -> None:
    assert choose(Action.DRAW) == "qwen-image-plus"
    assert choose(Action.DRAW, n=2) == "qwen-image-2.0"
    assert choose(Action.EDIT, 1) == "qwen-image-edit-plus"
    assert choose(Action.EDIT, 3) == "qwen-image-edit-plus"
    assert choose(Action.EXPAND, 1) == "wanx2.1-imageedit"
    assert (
        choose(Action.DRAW, size=Size(width=1000, height=1000))
        == "qwen-image-2.0"
    )


def test_a_named_model_is_taken_or_refused_with_those_that_can() -> None:
    assert choose(Action.DRAW, model="wan2.6-t2i") == "wan2.6-t2i"
    with pytest.raises(Rejected) as caught:
        choose(Action.EDIT, 1, model="wan2.6-t2i")
    assert "qwen-image-edit" in str(caught.value.params["allowed"])


@pytest.mark.parametrize("name", ["qwen-imge", "../x", "dall-e-3", "x" * 5000])
def test_an_unknown_model_is_refused_with_those_that_can(name: str) -> None:
    with pytest.raises(Rejected) as caught:
        choose(Action.DRAW, model=name)
    assert caught.value.key.startswith("catalog.model_unknown")
    drawing = sorted(
        model.id for model in MODELS if Action.DRAW in model.actions
    )
    assert caught.value.params["allowed"] == drawing
    is_near = name == "qwen-imge"
    nearest = caught.value.params.get("nearest")
    assert nearest == ("qwen-image" if is_near else None)
    with pytest.raises(Rejected) as caught:
        CATALOG.model(name)
    assert caught.value.params["allowed"] == sorted(CATALOG.models)


def test_a_region_without_the_function_says_where_it_works() -> None:
    with pytest.raises(Rejected) as caught:
        choose(Action.EXPAND, 1, (dashscope("singapore"),))
    assert caught.value.params["allowed"] == ["beijing"]
    both = (dashscope("singapore"), dashscope("beijing"))
    expanding = CATALOG.choose(Action.EXPAND, 1, Options(), both)
    assert expanding.account.region == "beijing"
    drawing = CATALOG.choose(Action.DRAW, 0, Options(), both)
    assert drawing.account.region == "singapore"


def test_too_many_pictures_or_results_are_refused_with_the_range() -> None:
    for action, pictures, options in [
        (Action.EDIT, 10, Options()),
        (Action.STYLE, 1, Options(n=5)),
    ]:
        with pytest.raises(Rejected) as caught:
            CATALOG.choose(action, pictures, options, BEIJING)
        assert {"low", "high", "given"} <= set(caught.value.params)


@pytest.mark.parametrize("size", ["1*1", "4000*4000", "1328*1329"])
def test_a_size_the_model_cannot_make_is_refused_with_the_nearest(
    size: str,
) -> None:
    width, height = (int(side) for side in size.split("*"))
    options = Options(
        size=Size(width=width, height=height), model="qwen-image"
    )
    model = CATALOG.model("qwen-image")
    with pytest.raises(Rejected) as caught:
        CATALOG.size_for(model, Action.DRAW, options, None)
    assert caught.value.params["nearest"] in {
        str(size) for size in model.size.sizes
    }


def test_an_edit_keeps_its_inputs_ratio_and_says_its_size() -> None:
    model = CATALOG.model("qwen-image-edit-plus")
    size = CATALOG.size_for(
        model, Action.EDIT, Options(), Size(width=600, height=400)
    )
    assert size is not None
    assert abs(size.width / size.height - 1.5) < 0.03
    assert (
        CATALOG.size_for(
            CATALOG.model("qwen-image-edit"),
            Action.EDIT,
            Options(),
            Size(width=9, height=9),
        )
        is None
    )


def test_a_ratio_becomes_the_nearest_size_the_model_allows() -> None:
    model = CATALOG.model("qwen-image-plus")
    assert CATALOG.size_for(
        model, Action.DRAW, Options(ratio=(16, 9)), None
    ) == Size(width=1664, height=928)


def test_a_prompt_over_the_limit_is_refused_with_the_count_never_cut() -> None:
    model = CATALOG.model("qwen-image-plus")
    with pytest.raises(Rejected) as caught:
        CATALOG.check(model, Action.DRAW, "x" * 801, Options())
    assert caught.value.params["length"] == 801
    CATALOG.check(model, Action.DRAW, "x" * 800, Options())
    with pytest.raises(Rejected):
        CATALOG.check(model, Action.DRAW, "fox", Options(negative="x" * 501))


def test_an_emoji_alone_says_what_to_draw_and_not_how_to_edit() -> None:
    model = CATALOG.model("qwen-image")
    CATALOG.check(model, Action.DRAW, "🦊", Options())
    with pytest.raises(Rejected, match="instruction_empty"):
        CATALOG.check(model, Action.EDIT, "🦊", Options())


@pytest.mark.parametrize("prompt", ["", "   ", "… —", "!!!"])
def test_a_prompt_without_words_is_refused(prompt: str) -> None:
    with pytest.raises(Rejected, match="prompt_empty"):
        CATALOG.check(
            CATALOG.model("qwen-image"), Action.DRAW, prompt, Options()
        )
    with pytest.raises(Rejected, match="instruction_empty"):
        CATALOG.check(
            CATALOG.model("qwen-image-edit"), Action.EDIT, prompt, Options()
        )
    CATALOG.check(
        CATALOG.model("wanx2.1-imageedit"), Action.UPSCALE, "", Options()
    )


def test_options_that_mean_nothing_here_are_refused() -> None:
    wanx, z = (
        CATALOG.model("wanx2.1-imageedit"),
        CATALOG.model("z-image-turbo"),
    )
    for model, action, options in [
        (wanx, Action.UPSCALE, Options(strength=0.5)),
        (wanx, Action.UPSCALE, Options(strength=0.0)),
        (
            CATALOG.model("qwen-image-2.0"),
            Action.DRAW,
            Options(ratio=(1, 1), size=Size(width=512, height=512)),
        ),
        (wanx, Action.STYLE, Options(left=1.5)),
        (wanx, Action.STYLE, Options(size=Size(width=512, height=512))),
        (wanx, Action.EDIT, Options(negative="x")),
        (z, Action.DRAW, Options(watermark=True)),
    ]:
        with pytest.raises(Rejected):
            CATALOG.check(model, action, "a fox", options)


def test_tokens_are_over_estimated_not_under() -> None:
    assert prompt_length("红狐狸", PromptUnit.TOKENS) == 3
    assert prompt_length("abcdef", PromptUnit.TOKENS) == 2


def test_money_is_known_exactly_or_said_to_be_unknown() -> None:
    plus = Choice(model=CATALOG.model("qwen-image-plus"), account=dashscope())
    assert CATALOG.price(plus, 3, None, Options()) == Money(
        amount=Decimal("0.6"), currency="CNY"
    )
    three = Choice(model=CATALOG.model("qwen-image-3.0"), account=dashscope())
    assert CATALOG.price(three, 1, None, Options()) is None


def test_expanding_to_a_ratio_stretches_only_the_side_that_must() -> None:
    size = Size(width=1000, height=1000)
    wide = expansion(Options(ratio=(16, 9)), size)
    assert wide.left is not None
    assert wide.left == wide.right == pytest.approx(16 / 9)
    assert wide.top == wide.bottom == 1.0
    assert expansion(Options(left=1.5), size) == replace(
        Options(), left=1.5, right=1.0, top=1.0, bottom=1.0
    )
    assert expansion(Options(), size).top == 1.5
    with pytest.raises(Rejected, match="expand_ratio"):
        expansion(Options(ratio=(3, 1)), size)


def test_a_model_is_served_by_the_accounts_of_its_own_provider_alone() -> None:
    table = """
        provider = "atelier"
        currency = "USD"
        [regions.atelier]
        url = ""
        [models.atelier-1]
        source = "test"
        actions = ["draw"]
        endpoint = "images"
        sync = true
        regions = ["atelier"]
        pictures = [0, 0]
        n = [1, 1]
        prompt = { limit = 800, unit = "characters" }
        size = { kind = "none" }
        seconds = 5.0
        price = { atelier = "0.04" }
        rank = 1
    """
    plural = Catalog.load(catalog_text(), table)
    atelier = Account(name="ours", provider="atelier", region="atelier")
    assert (
        plural.choose(Action.DRAW, 0, Options(), BEIJING).model.id
        != "atelier-1"
    )
    drawing = plural.choose(Action.DRAW, 0, Options(), (*BEIJING, atelier))
    assert (drawing.model.id, drawing.account) == ("atelier-1", atelier)
    assert plural.price(drawing, 2, None, Options()) == Money(
        amount=Decimal("0.08"), currency="USD"
    )
    assert plural.model("qwen-image").provider == "dashscope"
    with pytest.raises(ValueError, match="twice"):
        Catalog.load(catalog_text(), table, table)
    with pytest.raises(ValueError, match="in no currency"):
        Catalog.load(table.replace('currency = "USD"', ""))


def test_a_new_model_is_one_table() -> None:
    table = '[models."qwen-image-4.0"]\nlike = "qwen-image-2.0"\nrank = 1\n'
    grown = Catalog.load(catalog_text() + table)
    assert (
        grown.choose(Action.EDIT, 2, Options(), BEIJING).model.id
        == "qwen-image-4.0"
    )


def test_a_new_model_without_a_rank_takes_no_other_models_place() -> None:
    table = '[models."a-new-one"]\nlike = "qwen-image-plus"\n'
    grown = Catalog.load(catalog_text() + table)
    assert (
        grown.choose(Action.DRAW, 0, Options(), BEIJING).model.id
        == "qwen-image-plus"
    )
    named = grown.choose(Action.DRAW, 0, Options(model="a-new-one"), BEIJING)
    assert named.model.id == "a-new-one"
