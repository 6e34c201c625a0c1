"""The tables of a mixtune database. Columns for what is queried, JSON for what is only read back."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
)

VERSION_TABLE = "mixtune_version"
"""Where the revision of the tables stands; not Alembic's usual name, so that no other program's is taken for it."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

studies = Table(
    "studies",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uid", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False, unique=True),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created", Double, nullable=False),
    Column("updated", Double, nullable=False),
    Column("study", JSON, nullable=False),
    Column("versions", JSON(none_as_null=True)),
)

trials = Table(
    "trials",
    metadata,
    Column("study_id", Integer, ForeignKey("studies.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("role", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("seen", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("score", Double),
    Column("cost_flops", Double, nullable=False),
    Column("node", Text),
    Column("pid", Integer),
    Column("started", Double),
    Column("finished", Double),
    Column("error", Text),
    Column("recipe", JSON, nullable=False),
    Column("proposal", JSON, nullable=False),
    Column("measurement", JSON(none_as_null=True)),
    Column("fingerprint", Text),
    Column("reused", Text),
    Index(None, "fingerprint"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("study_id", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("outcome", Text, nullable=False),
    Column("started", Double),
    Column("finished", Double),
    Column("node", Text),
    Column("pid", Integer),
    Column("error", Text),
    ForeignKeyConstraint(["study_id", "number"], ["trials.study_id", "trials.number"], ondelete="CASCADE"),
)

scores = Table(
    "scores",
    metadata,
    Column("study_id", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("scores", JSON, nullable=False),
    ForeignKeyConstraint(["study_id", "number"], ["trials.study_id", "trials.number"], ondelete="CASCADE"),
)

comparisons = Table(
    "comparisons",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("created", Double, nullable=False),
    Column("updated", Double, nullable=False),
    Column("comparison", JSON, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    # By name and without a foreign key: the fence outlives the study, so that no old lease fits a new one.
    Column("study", Text, primary_key=True),
    Column("fence", BigInteger, nullable=False),
    Column("owner", Text),
    Column("renewed", Double, nullable=False),
)
