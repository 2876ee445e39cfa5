"""What a simulator keeps on disk outlives it, and its next versions."""

import pickle
from pathlib import Path

from bot.simulator.persistence import TaskFolder
from bot.simulator.rules import ImageRequest
from bot.simulator.tasks import Task

REQUEST = ImageRequest(
    model="qwen-image",
    endpoint="T2I",
    prompt="a fox",
    n=1,
    seed=3,
    size=(928, 1664),
)
FIELDS = {
    "id": "t1",
    "request_id": "r1",
    "inputs": (),
    "mask": None,
    "duration": 1.0,
    "accepted": 2.0,
    "seed": 3,
    "is_sync": False,
}


def test_a_task_is_read_back_as_it_was_accepted(tmp_path: Path) -> None:
    folder = TaskFolder(tmp_path)
    folder.save("t1", {**FIELDS, "request": REQUEST})
    [fields] = folder.load(60)
    assert Task(**fields).request == REQUEST


def test_a_task_kept_by_an_earlier_version_is_read_by_its_former_names(
    tmp_path: Path,
) -> None:
    text = pickle.dumps({**FIELDS, "wanted": REQUEST}, protocol=2)
    earlier = text.replace(b"\nImageRequest\n", b"\nWanted\n")
    assert earlier != text
    (tmp_path / "t1.task").write_bytes(earlier)
    [fields] = TaskFolder(tmp_path).load(60)
    assert Task(**fields).request == REQUEST
