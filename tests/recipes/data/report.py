"""Print CSV with the minutes that everybody had each availability, from history.db, with polars."""

import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime

import polars as pl


def minutes(path: str, now: datetime) -> pl.DataFrame:
    """Return a row for each extension and a column for each availability that it had.

    The last state counts until now.
    """
    query = "SELECT time, id, availability FROM changes"
    with closing(sqlite3.connect(path)) as database:
        changes = pl.read_database(query, database, infer_schema_length=None)
    lasted = pl.col("time").shift(-1, fill_value=now).over("id", order_by="time") - pl.col("time")
    return (
        changes.with_columns(pl.col("time").str.to_datetime(time_zone="UTC"))
        .with_columns(minutes=lasted.dt.total_seconds(fractional=True) / 60)
        .pivot("availability", index="id", values="minutes", aggregate_function="sum")
        .sort("id")
    )


if __name__ == "__main__":
    try:
        report = minutes(sys.argv[1] if sys.argv[1:] else "history.db", datetime.now(UTC))
    except sqlite3.Error as error:
        sys.exit(f"report: {error}")
    print(report.write_csv(float_precision=1), end="")
