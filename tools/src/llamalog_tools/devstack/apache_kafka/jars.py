"""Jars from Maven Central: fetched once by Maven, checked against committed hashes, kept in a cache."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from llamalog_tools.devstack.errors import ApacheKafkaUnavailableError, ProcessEndedError, missing_package
from llamalog_tools.devstack.process import run_to_end
from llamalog_tools.devstack.server import Notify, ignore

POM = Path(str(files(__package__) / "pom.xml"))
HASHES = Path(str(files(__package__) / "jars.sha256"))

_FETCH_SECONDS = 600.0


@dataclass(frozen=True)
class JarSet:
    """The jars of a program, as committed files name them.

    Attributes:
        name: of their folder in the cache.
        program: its name in messages.
        megabytes: that are fetched.
        pom: names the jars, as Maven's coordinates.
        hashes: SHA-256 and name of each.
    """

    name: str
    program: str
    megabytes: int
    pom: Path
    hashes: Path


KAFKA = JarSet("kafka", "Apache Kafka", 46, POM, HASHES)


def fetch_jars(cache: Path | None = None, notify: Notify = ignore, wanted: JarSet = KAFKA) -> Path:
    """The folder with the jars that a committed pom.xml names, from the cache or fetched into it.

    Two at once wait for each other; a fetch that was killed leaves nothing that counts as fetched.

    Args:
        cache: the folder for such things; None: the user's own.
        notify: hears that a fetch begins.
        wanted: the jars.

    Raises:
        ApacheKafkaUnavailableError: there is no Maven, it could not fetch them, or they are not the jars
            whose hashes are committed.
    """
    cache = (cache or user_cache()).absolute()
    jars = cache / f"{wanted.name}-{_hash(wanted.pom)}"
    if jars.is_dir():
        return jars
    maven = shutil.which("mvn")
    if maven is None:
        raise ApacheKafkaUnavailableError("Maven (`mvn`) is not installed here, and the jars are not cached.")
    try:
        with one_at_a_time(jars) as lock:
            if not jars.is_dir():
                _fetch(maven, wanted, jars, lock, notify)
    except OSError as refused:
        raise ApacheKafkaUnavailableError(f"The cache {cache} cannot be written: {refused}.") from refused
    return jars


def _fetch(maven: str, wanted: JarSet, jars: Path, lock: int, notify: Notify) -> None:
    notify(f"Fetching {wanted.program}'s jars, once ({wanted.megabytes} MB), into {jars}.")
    half = jars.with_name(jars.name + ".half")
    log = jars.with_name(jars.name + ".log")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir()
    log.unlink(missing_ok=True)
    copy = ("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={half}")
    try:
        run_to_end(
            "Maven",
            # -C: a jar whose checksum differs from the repository's is an error.
            [maven, "--quiet", "--batch-mode", "-C", "--file", str(wanted.pom), *copy],
            log=log,
            seconds=_FETCH_SECONDS,
            inherit=(lock,),
        )
    except ProcessEndedError as failed:
        raise ApacheKafkaUnavailableError(
            f"Its jars could not be fetched: {_cause(log)} (the whole log: {log})."
        ) from failed
    _check(half, wanted.hashes)
    half.rename(jars)


def _check(folder: Path, hashes: Path) -> None:
    expected = {name: digest for digest, name in map(str.split, hashes.read_text().splitlines())}
    got = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in folder.iterdir()}
    differing = sorted(name for name in expected.keys() | got.keys() if expected.get(name) != got.get(name))
    if differing:
        raise ApacheKafkaUnavailableError(
            f"What Maven fetched is not what {hashes.name} lists: {', '.join(differing[:5])}. "
            f"It is not used; it can be looked at in {folder}."
        )


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[int]:
    """Hold the lock of a folder of the cache; a program inherits it, so that an orphan is waited for too."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(folder.name + ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def _cause(log: Path) -> str:
    errors = [line.removeprefix("[ERROR]").strip() for line in log.read_text(errors="replace").splitlines()]
    return next((line[:300] for line in errors if line), "Maven printed nothing")


def _hash(pom: Path) -> str:
    return hashlib.sha256(pom.read_bytes()).hexdigest()[:12]


def user_cache() -> Path:
    """The folder for what is fetched once, of the user that runs this."""
    try:
        import platformdirs
    except ImportError as absent:
        raise missing_package("platformdirs") from absent
    return platformdirs.user_cache_path("llamalog")
