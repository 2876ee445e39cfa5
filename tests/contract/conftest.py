"""Every implementation: stores on SQLite and PostgreSQL, blobs in a folder and on S3."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import obstore.store
import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from core.ports import Blobs
from core.storage import database
from core.storage.blobs import open_blobs
from core.storage.bucket import BucketBlobs
from core.storage.store import Store
from tests.fakes.postgres import start_postgres


@pytest.fixture(scope="session")
def postgres() -> str:
    """The PostgreSQL of this process; it runs as long as the tests do."""
    return start_postgres()


@pytest_asyncio.fixture(params=["sqlite", "postgresql"])
async def engine(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[AsyncEngine]:
    """An empty, migrated database of each kind."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'easel.db'}"
    else:
        url = fresh_database(
            request.getfixturevalue("postgres"), request.node.name
        )
    await database.migrate(url)
    opened = database.open_async(url)
    yield opened
    await opened.dispose()


def fresh_database(server: str, name: str) -> str:
    """A new database on the server; its address."""
    import hashlib  # noqa: PLC0415

    import sqlalchemy as sa  # noqa: PLC0415

    name = "easel_" + hashlib.sha256(name.encode()).hexdigest()[:16]
    admin = sa.create_engine(
        database.sync_url(server), isolation_level="AUTOCOMMIT"
    )
    with admin.connect() as connection:
        connection.exec_driver_sql(
            f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"
        )
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    admin.dispose()
    return (
        sa.make_url(server)
        .set(database=name)
        .render_as_string(hide_password=False)
    )


@pytest.fixture
def store(engine: AsyncEngine) -> Store:
    return Store(engine)


@pytest.fixture(scope="session")
def bucket() -> Iterator[obstore.store.S3Store]:
    """A bucket on a loopback S3."""
    import boto3  # noqa: PLC0415
    from moto.server import ThreadedMotoServer  # noqa: PLC0415

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    boto3.client(
        "s3", endpoint_url=address, region_name="us-east-1", **keys
    ).create_bucket(Bucket="easel")
    yield obstore.store.S3Store(
        "easel",
        endpoint=address,
        region="us-east-1",
        access_key_id="test",
        secret_access_key="test",
        client_options={"allow_http": True},
    )
    server.stop()


@pytest.fixture(params=["folder", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    if request.param == "folder":
        return open_blobs((tmp_path / "blobs").as_uri())
    return BucketBlobs(request.getfixturevalue("bucket"))
