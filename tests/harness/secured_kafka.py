"""An Apache Kafka with an authorizer and SASL/PLAIN, and its own `kafka-acls`."""

import os
import shlex
import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from llamalog_service.settings import Settings
from llamalog_tools.devstack.apache_kafka import ApacheKafka, JarSet, fetch_jars, find_java
from llamalog_tools.devstack.apache_kafka.class_archive import ClassArchive
from llamalog_tools.devstack.server import ignore

_FOLDER: Final = Path(__file__).with_name("kafka_tools")
_TOOLS: Final = JarSet("kafka-tools", "Apache Kafka's tools", 1, _FOLDER / "pom.xml", _FOLDER / "jars.sha256")
_ADMIN: Final = "admin"
_LOGIN: Final = "org.apache.kafka.common.security.plain.PlainLoginModule required"


def password_of(user: str) -> str:
    """The password of a user of the broker."""
    return f"{user}-password"


class SecuredKafka(ApacheKafka):
    """A broker that knows these users, and allows each what its ACLs say; `admin` may do everything."""

    def __init__(self, folder: Path, users: Collection[str]) -> None:
        super().__init__(folder, find_java(), fetch_jars(), ignore)
        self._users = (_ADMIN, *users)

    def _settings(self, ports: Mapping[str, int]) -> dict[str, str]:
        known = " ".join(f'user_{user}="{password_of(user)}"' for user in self._users)
        login = f'username="{_ADMIN}" password="{password_of(_ADMIN)}"'
        return {
            **super()._settings(ports),
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:SASL_PLAINTEXT",
            "sasl.enabled.mechanisms": "PLAIN",
            "sasl.mechanism.inter.broker.protocol": "PLAIN",
            "listener.name.plaintext.plain.sasl.jaas.config": f"{_LOGIN} {login} {known};",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            # The listener of the controller, which is the broker itself, has no users.
            "super.users": f"User:{_ADMIN};User:ANONYMOUS",
            "allow.everyone.if.no.acl.found": "false",
        }

    def run_acls(self, script: str) -> None:
        """Run the lines of a script that calls `kafka-acls`, as an administrator would."""
        credentials, tool = self.folder / "admin.properties", self.folder / "bin" / "kafka-acls"
        login = f'username="{_ADMIN}" password="{password_of(_ADMIN)}"'
        credentials.write_text(
            f"security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config={_LOGIN} {login};\n"
        )
        tool.parent.mkdir(exist_ok=True)
        tools = fetch_jars(wanted=_TOOLS)
        classes = ClassArchive(self.java, tools)
        java = [str(self.java), "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
        words = ["-cp", f"{self.jars}/*:{tools}/*", "org.apache.kafka.tools.AclCommand"]
        if making := classes.options_to_make(tool.parent):
            # A script starts a Java for each of its lines: with an archive of classes on half the CPU.
            listing = ("--bootstrap-server", self.bootstrap, "--command-config", str(credentials), "--list")
            subprocess.run([*java, *making, *words, *listing], capture_output=True, check=True)
            classes.keep(tool.parent)
        tool.write_text(f'#!/bin/sh\nexec {shlex.join([*java, *classes.options, *words])} "$@"\n')
        tool.chmod(0o755)
        environment = {
            "PATH": f"{tool.parent}:{os.environ['PATH']}",
            "BOOTSTRAP": self.bootstrap,
            "CREDENTIALS": str(credentials),
        }
        done = subprocess.run(
            ["sh", "-e"], input=script, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def settings_as(settings: Settings, broker: SecuredKafka, user: str) -> Settings:
    """The settings of a process that is a user of the broker."""
    return settings.model_copy(
        update={
            "kafka": broker.bootstrap,
            "kafka_security_protocol": "SASL_PLAINTEXT",
            "kafka_sasl_mechanism": "PLAIN",
            "kafka_sasl_username": user,
            "kafka_sasl_password": SecretStr(password_of(user)),
        }
    )
