"""Settings, from the environment (prefix LLAMALOG_) or a file `.env`; read once, in `wiring`."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What may differ between two installations."""

    model_config = SettingsConfigDict(env_prefix="LLAMALOG_", env_file=".env", extra="ignore")

    database_url: SecretStr = Field(description="postgresql://user:password@host:port/database")
    database_password_file: Path | None = Field(
        default=None, description="a file that holds the database password, where the URL has none"
    )
    kafka: str = Field(description="bootstrap servers: host:port, comma-separated")
    kafka_durable: bool = Field(
        default=True, description="false for the embedded broker: no idempotent producer, no end offsets"
    )
    topic_prefix: str = "llamalog."
    consumer_group: str = "llamalog-provenance"
    migration_group: str = "llamalog-migration"
    session_seconds: Annotated[float, Field(ge=1, le=60)] = Field(
        default=10.0, description="how long a consumer may be silent before Kafka hands its partitions on"
    )
    batch_records: Annotated[int, Field(ge=1, le=20_000)] = 4000
    cached_jobs: Annotated[int, Field(ge=0, le=1_000_000)] = 20_000
    sweep_seconds: Annotated[float, Field(gt=0)] = 15.0
    full_sweep_seconds: Annotated[float, Field(gt=0)] = 900.0
    log_format: Literal["human", "json"] = "human"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    def database_dsn(self) -> str:
        """The database's URL, the password from its file put in."""
        url = self.database_url.get_secret_value()
        if self.database_password_file is None:
            return url
        parts = urlsplit(url)
        password = quote(self.database_password_file.read_text(encoding="utf-8").strip(), safe="")
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{quote(parts.username or '', safe='')}:{password}@{host}"))
