"""Settings, from the environment (prefix LLAMALOG_) or a file `.env`; read once, in `cli`."""

from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from llamalog_schemas.limits import MAX_METADATA_KEY_LENGTH, MAX_METADATA_KEYS
from llamalog_service.domain.errors import ExitCode, LlamalogError

_PREFIX = "LLAMALOG_"

ENTITY_EVENTS: Final = "entity-events"
DEAD_LETTERS: Final = "dead-letters"
"""The names, behind the prefix, of the topics that can be moved."""

Port = Annotated[int, Field(ge=0, le=65_535)]


class PasswordFileError(LlamalogError):
    """The file of a password cannot be read."""

    exit_code = ExitCode.CONFIGURATION


class KafkaCredentialsError(LlamalogError):
    """Kafka's protocol takes a user and a password, and one is missing."""

    exit_code = ExitCode.CONFIGURATION

    def __init__(self) -> None:
        super().__init__(
            f"{setting_name('kafka_security_protocol')} takes a user and a password: set "
            f"{setting_name('kafka_sasl_username')}, and {setting_name('kafka_sasl_password')} or "
            f"{setting_name('kafka_sasl_password_file')}. Nothing was done."
        )


class KafkaCredentials(NamedTuple):
    """A user of Kafka, by a mechanism of SASL."""

    mechanism: str
    username: str
    password: str


class DatabaseSettings(BaseSettings):
    """The settings of a command that needs PostgreSQL alone."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_file=".env", extra="ignore")

    database_url: SecretStr = Field(description="postgresql://user:password@host:port/database")
    database_password_file: Path | None = Field(
        default=None, description="a file that holds the database password, where the URL has none"
    )
    sweep_seconds: Annotated[float, Field(gt=0)] = 15.0
    full_sweep_seconds: Annotated[float, Field(gt=0)] = 900.0
    history_days: Annotated[float, Field(gt=0, le=36_500)] = 90.0
    monitoring_host: str = "127.0.0.1"
    consumer_port: Port = 8461
    migration_consumer_port: Port = 8462
    stall_seconds: Annotated[float, Field(ge=1)] = 120.0
    log_format: Literal["human", "json"] = "human"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, url: SecretStr) -> SecretStr:
        """Refused here, since on connecting every failure counts as a database that is away."""
        address = urlsplit(url.get_secret_value())
        if address.scheme not in ("postgresql", "postgres") or (address.port or 1) < 1:
            raise ValueError("has to be of the form postgresql://user:password@host:port/database")
        return url

    def database_dsn(self) -> str:
        """The database's URL, with the password from its file, and the schema in which tables are found.

        The latter is the `search_path` in the URL, by default `public`; that of the role does not count.

        Raises:
            PasswordFileError: the file is set and cannot be read.
        """
        parts = urlsplit(self.database_url.get_secret_value())
        if "search_path" not in parse_qs(parts.query):
            parts = parts._replace(query=f"{parts.query}&search_path=public".lstrip("&"))
        if self.database_password_file is None:
            return urlunsplit(parts)
        host = parts.netloc.rpartition("@")[2]
        password = quote(_password_in(self.database_password_file, "database_password_file"), safe="")
        return urlunsplit(parts._replace(netloc=f"{quote(parts.username or '', safe='')}:{password}@{host}"))

    def as_environment(self) -> dict[str, str]:
        """The variables that give another process these settings, the secrets in clear."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {
            setting_name(name): value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            for name, value in values.items()
            if value is not None
        }


class Settings(DatabaseSettings):
    """All settings of an installation."""

    kafka: str = Field(description="bootstrap servers: host:port, comma-separated")
    kafka_security_protocol: Literal["PLAINTEXT", "SASL_PLAINTEXT"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_sasl_password_file: Path | None = Field(
        default=None, description="a file that holds the password, where the setting has none"
    )
    kafka_durable: bool = Field(
        default=True, description="false for the embedded broker: no idempotent producer, no end offsets"
    )
    topic_prefix: str = "llamalog."
    entity_events_topic: str | None = Field(
        default=None, description="the topic of entity events, once `llamalog topics rewrite` has moved it"
    )
    dead_letters_topic: str | None = Field(
        default=None, description="the topic of dead letters, once `llamalog topics rewrite` has moved it"
    )
    personal_metadata: str | None = Field(
        default=None, description="the metadata keys, comma-separated, that an erasure removes from rows"
    )
    consumer_group: str = "llamalog-provenance"
    migration_group: str = "llamalog-migration"
    session_seconds: Annotated[float, Field(ge=1, le=60)] = Field(
        default=10.0, description="how long a consumer may be silent before Kafka reassigns its partitions"
    )
    batch_records: Annotated[int, Field(ge=1, le=20_000)] = 3000
    cached_jobs: Annotated[int, Field(ge=0, le=1_000_000)] = 10_000
    api_host: str = "127.0.0.1"
    api_port: Port = 8460
    api_connections: Annotated[int, Field(ge=10, le=10_000)] = 400
    api_request_seconds: Annotated[float, Field(gt=0)] = Field(
        default=15.0, description="until the head of a request has come, and again until its body has"
    )
    api_idle_seconds: Annotated[float, Field(gt=0)] = 5.0
    api_streams: Annotated[int, Field(ge=0, le=10_000)] = 100
    api_streams_per_client: Annotated[int, Field(ge=0, le=10_000)] = Field(
        default=25, description="of a token; of an address where there are none"
    )
    api_tokens: SecretStr | None = Field(
        default=None, description="clients of the API: lines `name scope[,scope] token-or-sha256:digest`"
    )
    api_tokens_file: Path | None = Field(default=None, description="a file of such lines")
    api_metrics_urls: str | None = Field(
        default=None, description="where the consumers' /metrics are, comma-separated, if not on this machine"
    )

    @field_validator("entity_events_topic", "dead_letters_topic")
    @classmethod
    def _is_of_its_family(cls, topic: str | None, info: ValidationInfo) -> str | None:
        """Require the usual name as a beginning: dead letters and positions name former topics, too."""
        kind = ENTITY_EVENTS if info.field_name == "entity_events_topic" else DEAD_LETTERS
        family = f"{info.data.get('topic_prefix', '')}{kind}"
        if topic and not topic.startswith(family):
            raise ValueError(f"has to begin with {family}, as the names of `llamalog topics rewrite` do")
        return topic or None

    @field_validator("personal_metadata")
    @classmethod
    def _names_keys(cls, keys: str | None) -> str | None:
        """Refused here, since an erasure that is never revoked takes them over."""
        names = _listed(keys)
        if len(names) > MAX_METADATA_KEYS or any(len(name) > MAX_METADATA_KEY_LENGTH for name in names):
            raise ValueError(
                f"names at most {MAX_METADATA_KEYS} keys of at most {MAX_METADATA_KEY_LENGTH} characters"
            )
        return keys

    def personal_metadata_keys(self) -> tuple[str, ...]:
        """The metadata keys that an erasure removes, each once."""
        return tuple(dict.fromkeys(_listed(self.personal_metadata)))

    def kafka_credentials(self) -> KafkaCredentials | None:
        """The user and password for Kafka; None without a protocol that takes any.

        Raises:
            KafkaCredentialsError: the protocol takes them, and one is missing.
            PasswordFileError: the file is set and cannot be read.
        """
        if self.kafka_security_protocol == "PLAINTEXT":
            return None
        password = self.kafka_sasl_password.get_secret_value() if self.kafka_sasl_password else None
        if password is None and self.kafka_sasl_password_file is not None:
            password = _password_in(self.kafka_sasl_password_file, "kafka_sasl_password_file")
        if not self.kafka_sasl_username or not password:
            raise KafkaCredentialsError
        return KafkaCredentials(self.kafka_sasl_mechanism, self.kafka_sasl_username, password)

    def kafka_servers(self) -> list[str]:
        """The bootstrap servers, one by one: FastStream takes a text with commas for one of them."""
        return [server.strip() for server in self.kafka.split(",")]

    def consumers_metrics_urls(self) -> tuple[str, ...]:
        """The addresses of the metrics of both consumers: on this machine, unless they are set."""
        if self.api_metrics_urls:
            return tuple(url.strip() for url in self.api_metrics_urls.split(",") if url.strip())
        ports = (self.consumer_port, self.migration_consumer_port)
        return tuple(f"http://{self.monitoring_host}:{port}/metrics" for port in ports if port)


def _listed(text: str | None) -> list[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def setting_name(field: str) -> str:
    """The environment variable of a field of `Settings`."""
    return f"{_PREFIX}{field.upper()}"


def _password_in(file: Path, setting: str) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise PasswordFileError(
            f"The password cannot be read from {file} ({setting_name(setting)}): "
            f"{error}. Nothing was done. Correct the path or its rights, or unset the variable."
        ) from error
