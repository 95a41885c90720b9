"""The failure of an attempt: its code is the caller's first, its message holds no value of a statement."""

import re
import sqlite3
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, insert
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from llamalog_schemas.events import EntityFailed
from llamalog_schemas.producer import Attempt, InMemoryTransport, LlamaLogger

MAIL = "beyonce@example.org"
USERS = Table(
    "users", MetaData(), Column("id", Integer, primary_key=True), Column("mail", String, unique=True)
)


class Base(DeclarativeBase):
    """The models of a service."""


class User(Base):
    __tablename__ = "user"
    id: Mapped[int] = mapped_column(primary_key=True)
    mail: Mapped[str] = mapped_column(unique=True)


class CodedError(Exception):
    code = "NO_ARTIST_DATA"


def failure_of(error: Exception, **fields: Any) -> EntityFailed:
    memory = InMemoryTransport()
    log = LlamaLogger(memory, source="/x", strict=True)
    attempt = Attempt(entity_type="ALBUM", operation="album:created", **fields)
    with pytest.raises(type(error)), log.job("a", attempt=attempt):
        raise error
    (event,) = memory.events
    assert isinstance(event, EntityFailed)
    return event


def violation() -> IntegrityError:
    engine = create_engine("sqlite://")
    USERS.metadata.create_all(engine)
    with engine.begin() as connection, pytest.raises(IntegrityError) as caught:
        connection.execute(insert(USERS).values(id=1, mail=MAIL))
        connection.execute(insert(USERS).values(id=2, mail=MAIL))
    engine.dispose()
    return caught.value


def test_the_code_of_the_attempt_comes_before_that_of_the_exception() -> None:
    assert failure_of(violation(), error_code="ALBUM_EXISTS").data.error_code == "ALBUM_EXISTS"
    assert failure_of(CodedError(), error_code="ALBUM_EXISTS").data.error_code == "ALBUM_EXISTS"
    assert failure_of(CodedError()).data.error_code == "NO_ARTIST_DATA"
    assert failure_of(ValueError()).data.error_code == "ALBUM_CREATION_FAILED"


def test_a_link_to_the_documents_of_sqlalchemy_is_no_code() -> None:
    error = violation()
    assert error.code == "gkpj"
    assert failure_of(error).data.error_code == "ALBUM_CREATION_FAILED"


@pytest.mark.parametrize("attribute", ["sqlstate", "pgcode"])
def test_the_state_that_a_database_gives_is_a_code(attribute: str) -> None:
    refused = type("UniqueViolation", (Exception,), {attribute: "23505"})("duplicate key")
    assert failure_of(refused).data.error_code == "23505"
    assert failure_of(DBAPIError("INSERT …", {"mail": MAIL}, refused)).data.error_code == "23505"


def test_the_message_of_a_refused_statement_holds_neither_the_statement_nor_its_parameters() -> None:
    message = failure_of(violation()).data.error_message
    assert message == "(sqlite3.IntegrityError) UNIQUE constraint failed: users.mail"


def test_the_message_of_a_session_that_was_rolled_back_holds_no_parameters() -> None:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(User(id=1, mail=MAIL))
        session.commit()
        session.add(User(id=2, mail=MAIL))
        with pytest.raises(IntegrityError):
            session.flush()
        with pytest.raises(Exception, match=re.escape(MAIL)) as caught:
            session.add(User(id=3, mail="x"))
            session.flush()
    engine.dispose()
    message = failure_of(caught.value).data.error_message
    assert message is not None
    assert MAIL not in message
    assert "UNIQUE constraint failed" in message


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (
            'duplicate key value violates unique constraint "users_mail"\n'
            f"DETAIL:  Key (mail)=({MAIL}) already exists.",
            'duplicate key value violates unique constraint "users_mail"',
        ),
        (f'invalid input syntax for type uuid: "{MAIL}"', 'invalid input syntax for type uuid: "…"'),
        (
            f"invalid input for query argument $1: '{MAIL}' (an integer is required)",
            "invalid input for query argument $1",
        ),
        (f"relation does not exist\nLINE 1: SELECT '{MAIL}'\n               ^", "relation does not exist"),
    ],
)
@pytest.mark.parametrize("wrapped", ["", "SQLAlchemy", "Django"])
def test_the_details_of_a_database_are_left_out(text: str, kept: str, wrapped: str) -> None:
    refused: Exception = type("DatabaseError", (Exception,), {"sqlstate": "22P02"})(text)
    error = refused
    if wrapped == "SQLAlchemy":
        error = DBAPIError("INSERT …", {"mail": MAIL}, refused)
    elif wrapped == "Django":
        error = ValueError(text)
        error.__cause__ = refused
    message = failure_of(error).data.error_message
    assert message is not None
    assert message.endswith(kept)
    assert MAIL not in message


@pytest.mark.parametrize(
    "params",
    [{"mail": MAIL, "id": 4711}, (MAIL, 4711), [(MAIL, 4711), ("other", 4712)], [{"mail": MAIL}]],
)
def test_a_parameter_in_the_first_line_is_masked(params: Any) -> None:
    error = StatementError(f"can't adapt {MAIL!r}", "INSERT …", params, ValueError(f"not {MAIL}"))
    message = failure_of(error).data.error_message
    assert message is not None
    assert "can't adapt" in message
    assert MAIL not in message


def test_an_exception_about_a_statement_that_wraps_another_is_cut_too() -> None:
    message = failure_of(RuntimeError(f"the album was not saved: {violation()}")).data.error_message
    assert message == (
        "the album was not saved: (sqlite3.IntegrityError) UNIQUE constraint failed: users.mail"
    )


def test_other_messages_stay_whole() -> None:
    text = "no such release:\nthe artist\n[of the album]"
    assert failure_of(ValueError(text)).data.error_message == text
    assert failure_of(sqlite3.OperationalError("no such table: x")).data.error_message == "no such table: x"
