"""What the core needs from the world: one Protocol a module.

Nothing inherits from them: mypy checks them where the program is wired.
"""

from core.ports.blobs import Blobs
from core.ports.chat import Chat
from core.ports.claims import Claims
from core.ports.clock import Clock
from core.ports.drafts import Drafts
from core.ports.people import People
from core.ports.provider import Provider
from core.ports.reactions import Reactions
from core.ports.store import Store

__all__ = [
    "Blobs",
    "Chat",
    "Claims",
    "Clock",
    "Drafts",
    "People",
    "Provider",
    "Reactions",
    "Store",
]
