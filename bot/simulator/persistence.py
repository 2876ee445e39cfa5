"""Tasks on disk.

A simulator started again on its folder knows the tasks it accepted, as the service would.
"""

import pickle
import secrets
import time
from pathlib import Path
from typing import Any

PORT = "port"
SECRET = "secret"  # noqa: S105  # a file's name
FORMER_NAMES = {"wanted": "request"}
"""Fields of tasks that earlier versions have written."""


class TaskFolder:
    """A folder with a file for each task, and the port that links to results name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def save(self, name: str, task: dict[str, Any]) -> None:
        """Write a task aside and rename it: it is there whole, or was never accepted."""
        aside = self._folder / f".{name}"
        path = self._folder / f"{name}.task"
        aside.write_bytes(pickle.dumps(task))
        aside.replace(path)

    def load(self, seconds: float) -> list[dict[str, Any]]:
        """Load the tasks of the last so many seconds; delete older ones."""
        tasks: list[dict[str, Any]] = []
        for path in sorted(self._folder.glob("*.task")):
            if time.time() - path.stat().st_mtime > seconds:
                path.unlink()
                continue
            fields = pickle.loads(path.read_bytes())  # noqa: S301  # our own file, in our own folder
            tasks.append(
                {
                    FORMER_NAMES.get(name, name): field
                    for name, field in fields.items()
                }
            )
        return tasks

    def secret(self) -> bytes:
        """The key that signs links to results, made at the first start."""
        path = self._folder / SECRET
        if not path.exists():
            path.write_bytes(secrets.token_bytes(16))
        return path.read_bytes()

    def port(self) -> int:
        """The port used last, 0 at first."""
        path = self._folder / PORT
        return int(path.read_text()) if path.exists() else 0

    def save_port(self, port: int) -> None:
        """Save the port for the next start."""
        (self._folder / PORT).write_text(str(port))
