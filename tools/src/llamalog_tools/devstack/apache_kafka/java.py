"""Finds a Java that Apache Kafka runs on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from llamalog_tools.devstack.errors import ApacheKafkaUnavailableError

OLDEST = 17

# `17.0.15`, `21-ea`, and `1.8.0_402` for what is called Java 8.
_VERSION = re.compile(r'version "(?:1\.)?(\d+)')


def find_java() -> Path:
    """The `java` of JAVA_HOME, else of the PATH.

    Raises:
        ApacheKafkaUnavailableError: there is none, or it is too old.
    """
    java = _of_java_home() or shutil.which("java")
    if java is None:
        raise ApacheKafkaUnavailableError(
            f"Java is not installed here (neither in JAVA_HOME nor on the PATH); it needs {OLDEST} or later."
        )
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    found = _VERSION.search(answer.stderr + answer.stdout)
    if answer.returncode != 0 or found is None:
        output = " ".join((answer.stderr + answer.stdout).split())[:200]
        raise ApacheKafkaUnavailableError(f"{java} does not work here: it prints {output!r}.")
    if int(found[1]) < OLDEST:
        raise ApacheKafkaUnavailableError(f"{java} is Java {found[1]}; it needs {OLDEST} or later.")
    return Path(java)


def _of_java_home() -> str | None:
    home = os.environ.get("JAVA_HOME")
    return shutil.which("java", path=str(Path(home) / "bin")) if home else None
