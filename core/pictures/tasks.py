"""What the process for pictures can be asked to do: nothing else loads libvips or Pillow.

Call these through ``Pool.run``; each loads what it needs when it is first called.
"""

from collections.abc import Mapping, Sequence

from core.pictures.facts import Facts, NormalizedImage
from core.pictures.layout import Node, Page
from core.size import PictureLimits, Size


def inspect(data: bytes) -> Facts:
    """Read a header. Raises Rejected."""
    from core.pictures import formats

    return formats.inspect(data)


def normalize(data: bytes) -> NormalizedImage:
    """Make the clean form we keep. Raises Rejected."""
    from core.pictures import normalize

    return normalize.normalize(data)


def fit_to(data: bytes, limits: PictureLimits) -> NormalizedImage:
    """Bring a kept picture inside a model's ranges. Raises Rejected."""
    from core.pictures import normalize

    return normalize.fit_to(data, limits)


def check_result(data: bytes) -> Facts:
    """Decode what the service sent. Raises Rejected unless it is a whole picture."""
    from core.pictures import normalize

    return normalize.check_result(data)


def measure(data: bytes) -> Facts:
    """Read the header of a picture that is too heavy to decode. Raises Rejected."""
    from core.pictures import formats

    return formats.measure(data)


def mask(data: bytes, size: Size) -> bytes:
    """Make a mask of what a person painted. Raises Rejected."""
    from core.pictures import masks

    return masks.mask(data, size)


def region(name: str, size: Size) -> bytes:
    """Make a mask of a named region."""
    from core.pictures import masks

    return masks.region(name, size)


def lay_out(nodes: Sequence[Node]) -> Page:
    """Find a place on the page for each picture of a history."""
    from core.pictures import layout

    return layout.lay_out(nodes)


def thumbnail(data: bytes) -> bytes:
    """Make the square JPEG of a picture that stands in a history."""
    from core.pictures import diagrams

    return diagrams.thumbnail(data)


def tree(page: Page, thumbnails: Mapping[str, bytes], note: str) -> bytes:
    """Draw a history."""
    from core.pictures import diagrams

    return diagrams.tree(page, thumbnails, note)


def compare(before: bytes, after: bytes, labels: tuple[str, str]) -> bytes:
    """Draw two pictures side by side."""
    from core.pictures import diagrams

    return diagrams.compare(before, after, labels)


def flicker(before: bytes, after: bytes) -> bytes:
    """Make a moving picture of two pictures in turn."""
    from core.pictures import diagrams

    return diagrams.flicker(before, after)


def plot(days: Sequence[tuple[str, float]], heading: str) -> bytes:
    """Draw what was spent each day."""
    from core.pictures import spending

    return spending.plot(days, heading)
