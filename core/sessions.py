"""Rules of the edit tree: ids, undo, depth, and the instructions of a chain merged.

History is append-only.
"""

import base64
import hashlib
from collections.abc import Sequence

from core.errors import Rejected
from core.incoming import Origin
from core.operations import Action
from core.options import MAX_SEED
from core.types import Head, Picture, Place, SessionId, Step, StepId, StepState

ID_LENGTH = 10
WEAR_DEPTH = 4
PSEUDONYM = "~"
"""What a pseudonym begins with; no platform's ids do."""


def step_id(request: Origin) -> StepId:
    """Ten letters made from the request's key, so that a redelivery is the same step."""
    name = f"{request.place.tenant}\n{request.key}"
    digest = hashlib.sha256(name.encode()).digest()
    # People type these ids: Base32 has neither 0 nor 1, which look like letters.
    letters = base64.b32encode(digest).decode().lower()
    return StepId(letters[:ID_LENGTH])


def seed_for(step: StepId) -> int:
    """A seed in 0..2147483647 fixed by the step, so that a replay asks for the same picture."""
    name = f"seed {step}"
    digest = hashlib.sha256(name.encode()).digest()
    number = int.from_bytes(digest[:4], "big")
    return number % (MAX_SEED + 1)


def own_session(step: Step) -> SessionId:
    """The person's own session in the channel, also for a step made in a thread."""
    return person_session(step.place, step.person.id)


def heads_of(step: Step) -> set[SessionId]:
    """The sessions whose next edit starts from a step once it is made.

    A private one never enters a thread.
    """
    heads = {step.session, own_session(step)}
    if step.place.thread and not step.options.private:
        heads.add(thread_session(step.place))
    return heads


def person_session(place: Place, person: str) -> SessionId:
    """One person's editing context in one channel."""
    return SessionId(f"{place.channel}/@{person}")


def private_session(place: Place, person: str) -> SessionId:
    """The private part of a person's own session in one channel.

    It has a separate count, so that no gap in the other versions reveals it.
    """
    return SessionId(f"{place.channel}/~{person}")


def pseudonym(tenant: str, person: str) -> str:
    """The pseudonym of a person who was forgotten where a limit or refusal must outlive that."""
    digest = hashlib.sha256(f"{tenant}\n{person}".encode()).hexdigest()
    return f"{PSEUDONYM}{digest[:16]}"


def thread_session(place: Place) -> SessionId:
    """What everyone in a thread of Easel shares."""
    return SessionId(f"{place.channel}/#{place.thread}")


def picture_at(step: Step, index: int) -> Picture:
    """One of a step's pictures.

    Raises Rejected when it made none, not as many, or they were deleted.
    """
    if step.deleted:
        raise Rejected("refuse.picture_gone")
    count = len(step.outputs)
    if not count:
        raise Rejected("refuse.no_result", version=step.number)
    if not 0 <= index < count:
        raise Rejected("refuse.no_such_picture", allowed=count)
    return step.outputs[index]


def source_of(step: Step) -> Picture:
    """The picture that a step was made of. Raises Rejected when there is none, or no more."""
    if step.inputs:
        return step.inputs[0]
    is_drawn = step.action is Action.DRAW
    raise Rejected(
        "refuse.nothing_to_compare" if is_drawn else "refuse.picture_gone"
    )


def undo(current: Step) -> Head:
    """The parent's picture. Raises Rejected at the root."""
    if current.parent is None:
        raise Rejected("refuse.nothing_to_undo")
    return Head(step=current.parent, index=current.parent_index)


def is_ready(step: Step) -> bool:
    """Whether the step has pictures to work on."""
    return step.state in {StepState.MADE, StepState.DONE}


def merged_instructions(edits: Sequence[Step]) -> str:
    """The instructions of a chain, one after another, to be run once on its root."""
    prompts = [step.prompt.strip() for step in edits]
    instructions = [prompt.rstrip(".。") for prompt in prompts]
    return "; ".join(filter(None, instructions))


def recipe(step: Step, index: int) -> dict[str, str]:
    """What made a picture, for its PNG metadata: any re-uploaded file can tell."""
    input_keys = [picture.key for picture in step.inputs]
    lines = {
        "step": step.id,
        "action": step.action.value,
        "prompt": step.prompt,
        "model": step.model,
        "seed": str(step.seed),
        "picture": str(index + 1),
        "parent": step.parent or "",
        "parents": ",".join(input_keys),
    }
    return {name: line for name, line in lines.items() if line}


def same_again(action: Action) -> bool:
    """Whether the action repeats a step rather than continues from it."""
    return action in {Action.AGAIN, Action.RERUN}
