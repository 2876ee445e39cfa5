"""Tasks on disk, so that a simulator started again on the same folder knows what it accepted, as the service would."""

import pickle
import secrets
import time
from pathlib import Path
from typing import Any

PORT = "port"


class Kept:
    """A folder: one file a task, and the port that the links to its results name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def keep(self, name: str, task: dict[str, Any]) -> None:
        """Aside and renamed: a task is there whole, or was never accepted."""
        aside = self._folder / f".{name}"
        aside.write_bytes(pickle.dumps(task))
        aside.replace(self._folder / f"{name}.task")

    def tasks(self, seconds: float) -> list[dict[str, Any]]:
        """What was accepted in the last so many seconds; what is older is forgotten."""
        found: list[dict[str, Any]] = []
        for path in sorted(self._folder.glob("*.task")):
            if time.time() - path.stat().st_mtime > seconds:
                path.unlink()
            else:
                found.append(pickle.loads(path.read_bytes()))  # noqa: S301  # a file of our own, in our own folder
        return found

    def secret(self) -> bytes:
        """What links to results are signed with, made at the first start."""
        path = self._folder / "secret"
        if not path.exists():
            path.write_bytes(secrets.token_bytes(16))
        return path.read_bytes()

    def port(self) -> int:
        """The port of last time, 0 at first."""
        path = self._folder / PORT
        return int(path.read_text()) if path.exists() else 0

    def keep_port(self, port: int) -> None:
        """For next time."""
        (self._folder / PORT).write_text(str(port))
