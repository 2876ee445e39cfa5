"""The image as a user builds and runs it, without a daemon: buildah, and bubblewrap for Docker.

What a container runtime promises holds: the file system is read-only, nothing but /data can be
written, and the program is process 1, without root and without capabilities.
"""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROGRAMS = ("mmdebstrap", "buildah", "bwrap", "setpriv")
PACKAGES = "mmdebstrap buildah bubblewrap"
SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
OF_MACHINE = (Path("/etc/pip.conf"), Path("/etc/ssl/certs"))
"""How this machine reaches its package index: the build may need to know it."""
BASE_PACKAGES = "python3,python3-venv,ca-certificates,usr-is-merged"
WITHOUT_PERL = (
    'chroot "$1" apt-get purge --yes --auto-remove'
    " usrmerge libfile-find-rule-perl perl perl-modules-5.36"
)
"""What a new Debian needs once, and the official images do not have."""
UNNEEDED = ("doc", "man", "locale")
"""Folders of /usr/share that slim images leave out."""
BUILD_SECONDS = 1200


def missing_programs() -> list[str]:
    """Name what is not installed; building needs root, too."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if os.geteuid() != 0:
        missing.append("root")
    if not SOURCES.is_file():
        missing.append(str(SOURCES))
    return missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A built image: the folder with its files, and its configuration."""

    files: Path
    config: Mapping[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        """The variables it sets."""
        return dict(line.split("=", 1) for line in self.config["Env"])

    @property
    def megabytes(self) -> float:
        """What its files hold; a registry adds nothing for folders."""
        show = ("-printf", "%i %s\n")
        listed = _run(["find", str(self.files), "-type", "f", *show])
        # A file of two names is one.
        sizes = dict(line.split() for line in listed.splitlines())
        return sum(map(int, sizes.values())) / 1e6


@contextmanager
def built_image(folder: Path) -> Iterator[Image]:
    """Build a base like the official one, and the image of deploy/Dockerfile on it."""
    store = [
        "buildah",
        "--storage-driver=vfs",
        f"--root={folder / 'store'}",
        f"--runroot={folder / 'run'}",
    ]
    base = folder / "base.tar"
    _run(
        [
            "mmdebstrap",
            "--variant=minbase",
            f"--include={BASE_PACKAGES}",
            f"--customize-hook={WITHOUT_PERL}",
            *(f"--dpkgopt=path-exclude=/usr/share/{n}/*" for n in UNNEEDED),
            "bookworm",
            str(base),
            str(SOURCES),
        ]
    )
    begun = _run([*store, "from", "scratch"]).strip()
    _run([*store, "add", "--quiet", begun, str(base), "/"])
    _run([*store, "commit", "--quiet", "--rm", begun, "localhost/python"])
    base.unlink()
    volumes = [f"--volume={path}:{path}:ro" for path in OF_MACHINE]
    _run(
        [
            *store,
            "build",
            "--quiet",
            "--isolation=chroot",
            "--format=docker",
            "--build-arg=PYTHON=localhost/python",
            *volumes,
            f"--file={ROOT / 'deploy' / 'Dockerfile'}",
            "--tag=localhost/easel",
            str(ROOT),
        ]
    )
    described = json.loads(
        _run([*store, "inspect", "--type=image", "localhost/easel"])
    )
    container = _run([*store, "from", "localhost/easel"]).strip()
    files = Path(_run([*store, "mount", container]).strip())
    try:
        yield Image(files=files, config=described["Docker"]["config"])
    finally:
        _run([*store, "umount", container])
        shutil.rmtree(folder, ignore_errors=True)


def _run(words: list[str]) -> str:
    done = subprocess.run(
        words,
        check=False,
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
    )
    assert done.returncode == 0, (words, done.stderr[-4000:])
    return done.stdout


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A running container: a process of bubblewrap, and the program in it."""

    process: asyncio.subprocess.Process
    program: int

    async def stop(self, number: int) -> int:
        """Send the program a signal, as ``docker stop`` does; return how it ended."""
        os.kill(self.program, number)
        return await asyncio.wait_for(self.process.wait(), 60)


def enclosed(
    image: Image, data: Path, words: list[str], variables: Mapping[str, str]
) -> list[str]:
    """Return the command that runs ``words`` in the image, as its user, with its variables."""
    user, _, group = image.config["User"].partition(":")
    variables = {**image.environment, **variables}
    settings: list[str] = []
    for name, text in variables.items():
        settings += ["--setenv", name, text]
    return [
        "bwrap",
        *("--ro-bind", str(image.files), "/"),
        *("--bind", str(data), "/data"),
        *("--proc", "/proc", "--dev", "/dev"),
        *("--chdir", image.config["WorkingDir"]),
        *("--unshare-pid", "--as-pid-1", "--die-with-parent", "--clearenv"),
        *("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"),
        *("--cap-add", "CAP_SETPCAP"),
        *settings,
        "setpriv",
        *(f"--reuid={user}", f"--regid={group}", "--clear-groups"),
        *("--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"),
        *image.config["Entrypoint"],
        *words,
    ]


@asynccontextmanager
async def running(
    image: Image, data: Path, words: list[str], variables: Mapping[str, str]
) -> AsyncIterator[Container]:
    """Start a container; kill it at the end if it still runs."""
    reading_end, writing_end = os.pipe()
    command = enclosed(image, data, words, variables)
    command[1:1] = ["--info-fd", str(writing_end)]
    with (data.parent / "container.log").open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=output, stderr=output, pass_fds=[writing_end]
        )
    os.close(writing_end)
    with os.fdopen(reading_end) as pipe:
        text = await asyncio.to_thread(pipe.read)
    try:
        yield Container(process=process, program=json.loads(text)["child-pid"])
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
