"""Named places where a test can stop the process.

``FAILPOINTS=submit.after_send=kill,keep.before=sleep:50``.

Actions: ``kill`` (as ``kill -9``), ``raise`` (a RuntimeError), ``sleep:MS``. ``@3`` after the
action waits for the third time the place is reached. Without the variable a failpoint is one look
into an empty dict.
"""

import os
import signal
import time

NAMES = (
    "hear.before_commit",
    "hear.after_commit",
    "hear.after_enqueue",
    "take.before_commit",
    "take.after_commit",
    "collect.before",
    "collect.after_blob",
    "begin.before_commit",
    "begin.after_commit",
    "announce.before_post",
    "announce.after_post",
    "answer.before_post",
    "answer.after_post",
    "share.after_upload",
    "share.after_complete",
    "settle.before",
    "settle.after",
    "say.after_post",
    "submit.before_intent",
    "submit.after_intent",
    "submit.after_send",
    "submit.after_record",
    "wait.before",
    "wait.after",
    "keep.before_download",
    "keep.after_download",
    "keep.after_blob",
    "keep.before_commit",
    "keep.after_commit",
    "deliver.before_post",
    "deliver.after_post",
    "deliver.after_commit",
)

_hits: dict[str, int] = {}


def _parse(text: str) -> dict[str, tuple[str, int]]:
    """Name → (action, at which hit)."""
    wanted: dict[str, tuple[str, int]] = {}
    for one in filter(None, text.split(",")):
        name, _, rest = one.partition("=")
        action, _, hit = rest.partition("@")
        if name not in NAMES:
            raise ValueError(f"FAILPOINTS: no failpoint named {name}")
        wanted[name] = (action, int(hit or 1))
    return wanted


_wanted: dict[str, tuple[str, int]] = {}


def arm(text: str) -> None:
    """Set the failpoints, as the variable does at the start.

    Raises ValueError for an unknown name.
    """
    _wanted.clear()
    _hits.clear()
    _wanted.update(_parse(text))


arm(os.environ.get("FAILPOINTS", ""))


def failpoint(name: str) -> None:
    """Reached a named place: do what the variable asks, once."""
    if name not in _wanted:
        return
    action, at = _wanted[name]
    _hits[name] = _hits.get(name, 0) + 1
    if _hits[name] == at:
        _do(action)


def _do(action: str) -> None:
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action.startswith("sleep:"):
        time.sleep(int(action.removeprefix("sleep:")) / 1000)
    elif action == "raise":
        raise RuntimeError("failpoint")
    else:
        raise ValueError(f"FAILPOINTS: no action named {action}")
