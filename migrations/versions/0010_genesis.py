"""How far the rows that were there before events existed have been told as events."""

from collections.abc import Iterator

from alembic import op

from llamalog_service.store.standing import Preview, Standing

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def preview(_: Standing) -> Iterator[Preview]:
    yield Preview("create the table genesis")


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS genesis (
            what text PRIMARY KEY CONSTRAINT genesis_what_check CHECK (what IN ('rows', 'decrees')),
            last_told uuid NOT NULL,
            told bigint NOT NULL,
            updated_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE genesis")
