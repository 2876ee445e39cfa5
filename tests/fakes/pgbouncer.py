"""The real PgBouncer on loopback, where it is installed (``apt-get install pgbouncer``)."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import sqlalchemy as sa

from tests.fakes.proxy import proxy_to_postgres

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.defpath}:/usr/sbin")
CONFIG = """
[databases]
* = host=127.0.0.1 port={server} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = 10
ignore_startup_parameters = extra_float_digits
"""


@asynccontextmanager
async def pgbouncer(
    url: str, folder: Path, port: int, mode: str
) -> AsyncIterator[str]:
    """A pooler before a PostgreSQL that listens on a Unix socket: the database's address there."""
    # The socket lies in a folder that only PostgreSQL's own user and root may enter.
    async with proxy_to_postgres(url) as (wire, _):
        server = sa.make_url(url)
        config = folder / f"pgbouncer-{port}.ini"
        config.write_text(
            CONFIG.format(
                server=wire.port, user=server.username, port=port, mode=mode
            )
        )
        async with _serving(config):
            await _until_it_listens(port)
            address = server.set(host="127.0.0.1", port=port, query={})
            yield address.render_as_string(hide_password=False)


@asynccontextmanager
async def _serving(config: Path) -> AsyncIterator[None]:
    assert PGBOUNCER
    # It never runs as root.
    arguments = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = await asyncio.create_subprocess_exec(
        PGBOUNCER, "-q", *arguments, config
    )
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def _until_it_listens(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return
