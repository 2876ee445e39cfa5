"""Stories in plain words, run with the real program as a newcomer would type them."""

import hashlib
import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from PIL import Image, ImageStat

from tests.conftest import PHOTOS
from tests.fakes.forking import Prompt

EASEL = [sys.executable, "-c", "from bot.cli import main; main()"]
ROOT = Path(__file__).parents[2]


class Newcomer:
    """A person at a prompt, with an empty folder and no key."""

    def __init__(self, home: Path, prompt: Prompt) -> None:
        self.home = home
        self.prompt = prompt
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "error",
            "EASEL_DATA_DIR": str(home / "data"),
        }

    def types(
        self, *words: str, given: bytes = b""
    ) -> subprocess.CompletedProcess[str]:
        return self.prompt.runs(
            list(words), self.home, self.environment, given
        )

    def makes(self, *words: str) -> dict[str, Any]:
        """A command that succeeds; what --json says."""
        done = self.types(
            *words, "--json", "--out", "out", "--time-scale", "0.01"
        )
        assert done.returncode == 0, done.stderr + done.stdout
        assert done.stderr == ""
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def is_refused(self, *words: str) -> dict[str, str]:
        """A command that is refused: exit code 1 or 2 and an error object."""
        done = self.types(*words, "--json")
        assert done.returncode in {1, 2}, done.stderr + done.stdout
        error: dict[str, str] = json.loads(done.stdout)["error"]
        assert set(error) == {"key", "message", "charged"}
        assert "Traceback" not in done.stderr
        return error


@pytest.fixture
def newcomer(tmp_path: Path, prompt: Prompt) -> Newcomer:
    return Newcomer(tmp_path, prompt)


def open_result(answer: dict[str, Any]) -> Image.Image:
    """The picture of an answer, which must be what the answer says it is."""
    told = answer["pictures"][0]
    data = Path(told["path"]).read_bytes()
    assert hashlib.sha256(data).hexdigest() == told["sha256"]
    assert len(data) == told["bytes"]
    with Image.open(told["path"]) as picture:
        assert picture.size == (told["width"], told["height"])
        return picture.convert("RGB")


def brightness(image: Image.Image) -> float:
    return float(ImageStat.Stat(image.convert("L")).mean[0])


def test_draw_edit_three_times_undo_twice_branch_and_look_back(
    newcomer: Newcomer,
) -> None:
    drawn = newcomer.makes(
        "draw",
        "a red fox in the snow, watercolour",
        "--n",
        "2",
        "--ar",
        "16:9",
    )
    assert set(drawn) >= {
        "request",
        "step",
        "parent",
        "action",
        "model",
        "seed",
        "pictures",
        "cost",
        "task_id",
        "request_id",
        "seconds",
    }
    assert len(drawn["pictures"]) == 2
    assert drawn["cost"] == {"amount": "0.4", "currency": "CNY"}
    fox = open_result(drawn)
    assert abs(fox.width / fox.height - 16 / 9) < 0.05

    night = newcomer.makes("edit", "make it night")
    assert night["parent"] == drawn["step"]
    assert brightness(open_result(night)) < brightness(fox)
    hat = newcomer.makes("edit", "give it a hat")
    snow = newcomer.makes("edit", "more snow")
    assert (hat["parent"], snow["parent"]) == (night["step"], hat["step"])

    assert newcomer.makes("undo")["step"] == hat["step"]
    assert newcomer.makes("undo")["step"] == night["step"]
    branch = newcomer.makes("edit", "make it gold")
    assert branch["parent"] == night["step"]
    assert newcomer.makes("undo")["step"] == night["step"]
    assert newcomer.makes("redo")["step"] == branch["step"]

    with Image.open(newcomer.makes("history")["files"][0]) as tree:
        assert tree.width > tree.height > 200
    side, flicker = newcomer.makes("compare")["files"]
    with Image.open(side) as both, Image.open(flicker) as moving:
        assert both.width > both.height
        assert getattr(moving, "n_frames", 1) == 2
    assert "¥" in newcomer.types("usage").stderr


def test_all_ten_functions_on_a_real_photo(newcomer: Newcomer) -> None:
    photos = {
        name: str(PHOTOS / name)
        for name in ("coffee.png", "chelsea.png", "rocket.jpg")
    }
    runs: dict[str, list[str]] = {
        "style": [
            "转换成法国绘本风格",
            photos["chelsea.png"],
            "--strength",
            "0.9",
        ],
        "restyle": ["把猫变成毛线风格", photos["chelsea.png"]],
        "edit": ["add a lemon", photos["coffee.png"]],
        "inpaint": ["a green meadow", photos["coffee.png"], "--mask", "left"],
        "unwatermark": [photos["rocket.jpg"]],
        "expand": [
            "a wide meadow",
            photos["rocket.jpg"],
            "--left",
            "1.5",
            "--right",
            "1.5",
        ],
        "upscale": [photos["coffee.png"], "--scale", "2"],
        "colorize": ["blue sky", photos["rocket.jpg"]],
        "sketch": ["a cat in a forest", photos["chelsea.png"], "--sketch"],
        "cartoon": ["卡通形象在雪地里跳舞", photos["chelsea.png"]],
    }
    for function, words in runs.items():
        answer = newcomer.makes("wanx", function, *words)
        picture = open_result(answer)
        assert answer["action"] == f"wanx.{function}"
        assert answer["cost"] == {"amount": "0.14", "currency": "CNY"}
        if function == "expand":
            assert abs(picture.width / picture.height - 640 * 1.5 / 427) < 0.02
        if function == "upscale":
            assert picture.width >= 1200


def test_three_pictures_go_into_one_in_their_order(newcomer: Newcomer) -> None:
    names = ("coffee.png", "chelsea.png", "rocket.jpg")
    photos = [str(PHOTOS / name) for name in names]
    answer = newcomer.makes(
        "edit", "put the cat of picture 2 beside the cup of picture 1", *photos
    )
    picture = open_result(answer)
    assert abs(picture.width / picture.height - 640 / 427) < 0.03
    assert newcomer.makes("edit", "make it night")["parent"] == answer["step"]


def test_a_phone_photo_of_twelve_megapixels_just_works(
    newcomer: Newcomer,
) -> None:
    photo = newcomer.home / "IMG_0001.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(PHOTOS / "rocket.jpg") as rocket:
        rocket.resize((4032, 3024)).save(photo, quality=92, exif=exif)
    picture = open_result(newcomer.makes("edit", "make it night", str(photo)))
    assert picture.height > picture.width


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (("draw", "a fox", "--n", "9"), "grammar.value"),
        (("draw", "a fox", "--seed", "-1"), "grammar.value"),
        (("draw", "a fox", "--model", "dall-e"), "catalog.model_unknown"),
        (("draw", "a fox", "--size", "9x9"), "catalog.size"),
        (("draw", "a fox --n 2 --n 3"), "grammar.duplicate"),
        (("draw", "   "), "catalog.prompt_empty"),
        (("draw", "…!"), "catalog.prompt_empty"),
        (("draw", "x" * 5000), "catalog.prompt_long"),
        (("draw", "x" * 100_000), "grammar.too_long"),
        (
            ("draw", "a fox", str(PHOTOS / "rocket.jpg")),
            "refuse.draw_with_picture",
        ),
        (("edit", "make it night"), "refuse.no_picture"),
        (("edit", "x", "../../../../etc/passwd.png"), "terminal.file_missing"),
        (
            ("edit", "x", "nul\x00.png".replace("\x00", "")),
            "terminal.file_missing",
        ),
        (("edit", "x", "a" * 300 + ".png"), "terminal.file_missing"),
        (("edit", "x", "--from", "nosuchstep"), "refuse.not_found"),
        (
            ("wanx", "inpaint", "x", str(PHOTOS / "coffee.png")),
            "refuse.no_mask",
        ),
        (
            ("wanx", "upscale", str(PHOTOS / "coffee.png"), "--scale", "9"),
            "grammar.value",
        ),
        (
            ("wanx", "style", "x", str(PHOTOS / "coffee.png"), "--left", "2"),
            "catalog.option_for",
        ),
        (("undo",), "refuse.no_session"),
        (("history",), "refuse.no_session"),
        (("cancel",), "refuse.nothing_to_cancel"),
        (("show", "nosuchstep"), "refuse.not_found"),
        (("budget", "--person-day", "NaN"), "budget.amount"),
        (("drawx", "a fox"), "usage"),
        (("wanx", "explode", "a fox"), "usage"),
        (("draw", "a fox", "--nope"), "usage"),
    ],
)
def test_bad_input_gets_one_kind_sentence_and_costs_nothing(
    newcomer: Newcomer, words: tuple[str, ...], key: str
) -> None:
    error = newcomer.is_refused(*words)
    assert error["key"] == key, error
    assert error["charged"] == "no"
    assert error["message"]
    assert len(error["message"]) < 2000


def test_bad_pictures_are_refused_before_anything_is_queued(
    newcomer: Newcomer,
) -> None:
    bad = {
        "empty.png": (b"", "picture.empty"),
        "page.png": (b"<!doctype html><script>", "picture.not_an_image"),
        "cut.jpg": (
            (PHOTOS / "rocket.jpg").read_bytes()[:9000],
            "picture.damaged",
        ),
        "eps.png": (
            b"%!PS-Adobe-3.0 EPSF" + b"x" * 100,
            "picture.not_an_image",
        ),
    }
    for name, (data, key) in bad.items():
        (newcomer.home / name).write_bytes(data)
        assert newcomer.is_refused("edit", "make it night", name)["key"] == key


def test_a_refusal_by_the_service_is_said_kindly_and_not_charged(
    newcomer: Newcomer,
) -> None:
    assert (
        newcomer.is_refused("draw", "[moderation] a fox")["key"]
        == "provider.moderation_input"
    )
    error = newcomer.is_refused(
        "draw", "[moderation-output] a fox", "--time-scale", "0.01"
    )
    assert (error["key"], error["charged"]) == (
        "provider.moderation_output",
        "no",
    )


def test_a_budget_is_a_wall(newcomer: Newcomer) -> None:
    newcomer.makes("budget", "--person-day", "0.3")
    newcomer.makes("draw", "a fox")
    error = newcomer.is_refused("draw", "another fox")
    assert error["key"] == "budget.person_day"
    assert "¥0.20 of ¥0.30" in error["message"]


def test_every_configuration_mistake_is_one_line_and_exit_78(
    newcomer: Newcomer,
) -> None:
    mistakes = {
        "EASEL_REGION": "mars",
        "EASEL_LOCALE": "klingon",
        "EASEL_HTTP_PORT": "x",
        "EASEL_DATABASE_URL": "mysql://x/y",
        "EASEL_BLOB_URL": "ftp://x/y",
        "EASEL_DATA_DIR": "/dev/null/x",
        "EASEL_DASHSCOPE_URL": "http://127.0.0.1:1/api/v1",
        "DASHSCOPE_API_KEY_FILE": "/no/such/file",
    }
    for name, value in mistakes.items():
        newcomer.environment[name] = value
        done = newcomer.types("undo")
        assert done.returncode == 78, (name, done.stderr)
        assert done.stderr.count("\n") == 1
        assert (
            "API_KEY" in done.stderr
            if name == "EASEL_DASHSCOPE_URL"
            else name in done.stderr
        )
        del newcomer.environment[name]
        newcomer.environment["EASEL_DATA_DIR"] = str(newcomer.home / "data")
    assert newcomer.types("run").returncode == 78


def test_a_configuration_mistake_is_told_also_by_what_needs_no_engine(
    newcomer: Newcomer,
) -> None:
    newcomer.makes("draw", "a fox")
    mistakes = {
        "EASEL_REGION": "mars",
        "EASEL_BLOB_URL": "ftp://x/y",
        "EASEL_DASHSCOPE_URL": "http://127.0.0.1:1",
    }
    for name, value in mistakes.items():
        newcomer.environment[name] = value
        done = newcomer.types("info")
        assert done.returncode == 78, (name, done.stderr)
        assert done.stderr.count("\n") == 1
        del newcomer.environment[name]


def test_who_only_looks_does_not_wait_for_a_command_at_work(
    newcomer: Newcomer,
) -> None:
    newcomer.makes("draw", "a fox")
    newcomer.environment["FAILPOINTS"] = "begin.after_commit=kill"
    assert (
        newcomer.types(
            "draw", "a heron", "--out", "out", "--time-scale", "0.01"
        ).returncode
        == -9
    )
    del newcomer.environment["FAILPOINTS"]
    with FileLock(newcomer.home / "data" / "easel.lock"):
        for words in (("history",), ("usage",), ("info",), ("budget",)):
            newcomer.makes(*words)
    assert (
        "unfinished work: 1"
        in newcomer.types(
            "undo", "--out", "out", "--time-scale", "0.01"
        ).stderr
    )


def test_models_and_doctor_speak_json(newcomer: Newcomer) -> None:
    models = json.loads(newcomer.types("models", "--json").stdout)
    assert models["models"]["wanx2.1-imageedit"]["prices"] == {
        "beijing": "0.14"
    }
    report = json.loads(newcomer.types("doctor", "--json").stdout)
    assert report["ok"] is True
    assert {check["name"] for check in report["checks"]} == {
        "settings",
        "network",
        "database",
        "jobs",
        "blobs",
        "disk",
        "fonts",
        "links",
        "service",
        "clock",
    }


@contextmanager
def _ended(process: subprocess.Popen[str]) -> Iterator[None]:
    """However a test ends, its process is not waited for."""
    try:
        yield
    finally:
        process.kill()


def test_a_worker_says_over_http_how_it_is_and_stops_when_told(
    newcomer: Newcomer,
) -> None:
    words = ["run", "--role", "worker"]
    environment = {**newcomer.environment, "EASEL_LOG_FORMAT": "json"}
    with (
        subprocess.Popen(
            [*EASEL, *words],
            cwd=newcomer.home,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        ) as worker,
        _ended(worker),
    ):
        assert worker.stderr
        said = next(
            line
            for line in map(json.loads, worker.stderr)
            if line["event"] == "ready"
        )
        address = said["address"]
        for path, said in (
            ("/healthz", b"ok"),
            ("/readyz", b'"database":"ok"'),
            ("/metrics", b"easel_ready"),
        ):
            with urllib.request.urlopen(address + path, timeout=10) as answer:  # noqa: S310  # our own, on loopback
                assert said in answer.read()
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{address}/room", timeout=10)  # noqa: S310
        worker.terminate()
        assert worker.wait(15) == 0


def test_a_port_that_is_taken_is_one_line_that_says_which_setting(
    newcomer: Newcomer,
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = newcomer.types("demo", "--port", port)
        assert done.returncode == 78
        assert done.stderr.count("\n") == 1
        assert f"--port: port {port} cannot be used" in done.stderr


def test_what_was_finished_is_not_done_again_and_what_was_interrupted_goes_on(
    newcomer: Newcomer,
) -> None:
    for _ in range(4):
        newcomer.makes("draw", "a fox")
        assert (
            "unfinished"
            not in newcomer.types("history", "--out", "out").stderr
        )
    newcomer.environment["FAILPOINTS"] = "begin.after_commit=kill"
    assert (
        newcomer.types(
            "draw", "a heron", "--out", "out", "--time-scale", "0.01"
        ).returncode
        == -9
    )
    del newcomer.environment["FAILPOINTS"]
    picked_up = newcomer.types("usage", "--time-scale", "0.01")
    assert "unfinished work: 1" in picked_up.stderr
    assert "a heron" in picked_up.stderr
    assert len(list((newcomer.home / "out").glob("v5-*.png"))) == 1
    assert "unfinished" not in newcomer.types("usage").stderr


def test_a_folder_that_cannot_be_written_to_is_said_before_anything_is_paid(
    newcomer: Newcomer,
) -> None:
    (newcomer.home / "taken").write_text("not a folder")
    error = newcomer.is_refused("draw", "a fox", "--out", "taken")
    assert (error["key"], error["charged"]) == ("terminal.out", "no")
    assert newcomer.makes("usage")["days"] == []
    newcomer.makes("draw", "a fox")
    assert (
        newcomer.is_refused("history", "--out", "taken")["key"]
        == "terminal.out"
    )
    assert (
        newcomer.types(
            "show", "--out", "out", newcomer.makes("info")["step"]
        ).returncode
        == 0
    )
    assert len(list((newcomer.home / "out").glob("v1-*.png"))) == 1


def test_a_file_is_the_picture_that_is_edited_whatever_it_is_called(
    newcomer: Newcomer,
) -> None:
    names = ("Screenshot at 10.00.00\u202fAM.png", "photo.jfif", "photo")
    for name in names:
        path = newcomer.home / name
        path.write_bytes((PHOTOS / "coffee.png").read_bytes())
    for words in (
        (names[0], "make it night"),
        ("make it night", names[1]),
        ("make", "it", names[2], "night"),
    ):
        made = newcomer.makes("edit", *words)
        (path,) = (newcomer.home / name for name in names if name in words)
        assert made["inputs"] == [{"path": str(path)}]
        assert newcomer.makes("info")["prompt"] == "make it night"


MISSING = (
    ("edit", "make it night", "my missing photo.png"),
    ("edit", "missing.avif", "make it night"),
    ("edit", "make it night", "/no/such/photo"),
    ("edit", "make it night", "folder"),
    ("wanx", "upscale", "Screenshot 10.00.00.png"),
    ("wanx", "inpaint", "a hat", "--mask", "missing.png"),
    ("edit", "make it night", "https://example.com/cat.png"),
)


def test_a_path_without_a_file_is_an_error_and_nothing_else_is_edited(
    newcomer: Newcomer,
) -> None:
    (newcomer.home / "folder").mkdir()
    for words in MISSING:
        assert newcomer.is_refused(*words)["key"] == "terminal.file_missing"
    done = newcomer.types(*MISSING[0])
    assert done.returncode == 2
    assert "my missing photo.png" in done.stderr
    assert not (newcomer.home / "data").exists()


def test_words_that_name_a_file_are_drawn(newcomer: Newcomer) -> None:
    (newcomer.home / "fox").write_text("words")
    for words in ("a sign saying cat.png", "fox", "cats and/or dogs, v1.5"):
        newcomer.makes("draw", words)
        assert newcomer.makes("info")["prompt"] == words


def test_an_edit_of_the_last_result_names_it(newcomer: Newcomer) -> None:
    drawn = newcomer.makes("draw", "a fox", "--n", "2")
    newcomer.makes("pick", "2")
    edited = newcomer.makes("edit", "make it night")
    assert edited["inputs"] == [{"step": drawn["step"], "picture": 2}]


def test_words_and_pictures_come_from_and_go_to_standard_streams(
    newcomer: Newcomer,
) -> None:
    words = "一只狐狸, a fox\n"
    newcomer.types("draw", "-", "--time-scale", "0.01", given=words.encode())
    assert newcomer.makes("info")["prompt"] == words.strip()
    photo = (PHOTOS / "coffee.png").read_bytes()
    done = newcomer.types(
        *("edit", "make it night", "-", "--out", "-", "--time-scale", "0.01"),
        given=photo,
    )
    assert done.returncode == 0, done.stderr
    with Image.open(newcomer.prompt.folder / "out") as image:
        image.load()
    # Only the first command wrote a file.
    assert len(list(newcomer.home.glob("*.png"))) == 1
    pipe = newcomer.is_refused("draw", "a fox", "--out", "-")
    assert pipe["key"] == "terminal.pipe"


def test_json_holds_the_numbers_that_people_are_shown(
    newcomer: Newcomer,
) -> None:
    newcomer.makes("budget", "--person-day", "50")
    drawn = newcomer.makes("draw", "a fox", "--seed", "7")
    edited = newcomer.makes("edit", "make it night")
    history = newcomer.makes("history")
    assert [step["prompt"] for step in history["steps"]] == [
        "a fox",
        "make it night",
    ]
    assert history["head"] == {"step": edited["step"], "picture": 1}
    shown = newcomer.makes("show", drawn["step"])
    assert (shown["options"], shown["seed"]) == ({"seed": 7}, 7)
    assert shown["cost"] == {"amount": "0.2", "currency": "CNY"}
    usage = newcomer.makes("usage")
    table = Path(usage["files"][-1]).read_text("utf-8-sig")
    assert table.startswith("day,person,person_id,model,jobs,amount,")
    assert usage["totals"] == [{"amount": "0.4", "currency": "CNY"}]
    assert usage["days"][0]["steps"] == 2
    assert newcomer.makes("budget")["budgets"] == {
        "person_day": {"amount": "50", "currency": "CNY"},
        "channel_month": None,
        "workspace_month": None,
    }
    entries = newcomer.makes("audit")["entries"]
    assert [(entry["act"], entry["subject"]) for entry in entries] == [
        ("asked", "edit"),
        ("asked", "draw"),
        ("set", "person_day"),
    ]
    assert entries[0]["cost"] == {"amount": "0.2", "currency": "CNY"}
    assert entries[2]["after"] == "50"
