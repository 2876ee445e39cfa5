"""Everything Easel remembers but picture bytes, in SQLite or PostgreSQL."""

from datetime import datetime

from sqlalchemy import select

from core.budgets import Caps
from core.storage.messages import MessageStore
from core.storage.pictures import PictureStore
from core.storage.progress import StepProgress
from core.storage.shielding import shielded
from core.storage.submits import SubmitStore
from core.storage.tables import workspaces
from core.storage.workspaces import WorkspaceStore
from core.types import Step


@shielded
class Store(
    StepProgress, SubmitStore, PictureStore, MessageStore, WorkspaceStore
):
    """One database, a class for each subject. Each method is one transaction."""

    async def check(self) -> None:
        """Answer, or raise."""
        await self._fetch_scalar(select(workspaces.c.tenant).limit(1))

    async def begin(self, step: Step, caps: Caps, now: datetime) -> Step:
        """Write a new step (see StepProgress); from now on its thread may show one."""
        begun = await super().begin(step, caps, now)
        thread = (step.tenant, step.place.channel, step.place.thread, "")
        self._unrelated.discard(thread)
        return begun
