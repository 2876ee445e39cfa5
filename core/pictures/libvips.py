"""libvips, set up before anything uses it."""

import pyvips

__all__ = ["pyvips"]

# Every picture is read once: a cache of operations would only hold memory.
pyvips.cache_set_max(0)
# The pool works on two pictures at a time; a single one needs no further threads.
pyvips.concurrency_set(1)
# No loader but those of the formats we accept, whatever a file pretends to be.
pyvips.operation_block_set("VipsForeignLoad", True)
for _name in ("Jpeg", "Png", "Webp", "Nsgif", "Tiff", "Heif"):
    pyvips.operation_block_set(f"VipsForeignLoad{_name}", False)
