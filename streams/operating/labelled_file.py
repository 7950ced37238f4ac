"""Labelled files: history with what each transaction turned out to be, from Parquet or CSV."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models.warm_up import Payment

# The contract's names first, then those of the Fraud Detection Handbook's data.
_CARD = ("pan_token", "customer_id")
_ACCEPTOR = ("terminal_id", "merchant_id")
_LABEL = ("is_fraud", "fraud")
_TIME = ("event_time", "seconds")
_TOLD = Payment._fields[Payment._fields.index("merchant_id") :]  # by the contract's names, where the history tells


class LabelledFileUnreadable(Exception):
    """A file that is no labelled history; the message says what is missing."""


def read_labelled(path: Path, *, epoch: datetime) -> Iterator[Payment]:
    """Payments in the file's order, which must be that of time; `epoch` is what a column `seconds` counts from.

    Columns: transaction_id, event_time or seconds, pan_token or customer_id, terminal_id or merchant_id, amount_minor,
    is_fraud, and currency where it is not US dollars. Where there are such columns also merchant_id beside terminal_id,
    which stands for a terminal that is not told, and mcc, countries, channel, entry mode, device and results of checks
    by the contract's names. Raises LabelledFileUnreadable.
    """
    begin = epoch.timestamp()
    latest = float("-inf")
    for columns in _batches(path):
        card, acceptor = _named(columns, _CARD), _named(columns, _ACCEPTOR)
        label, time = _named(columns, _LABEL), _named(columns, _TIME)
        ids, amounts = columns[_named(columns, ("transaction_id",))], columns[_named(columns, ("amount_minor",))]
        currencies = columns.get("currency") or ["USD"] * len(ids)
        told = zip(*(columns.get(name) or [None] * len(ids) for name in _TOLD), strict=True)
        times = map(_seconds, columns[time]) if time == "event_time" else (begin + each for each in columns[time])
        for at, number, who, where, amount, currency, is_fraud, fields in zip(
            times,
            ids,
            columns[card],
            columns[acceptor],
            amounts,
            currencies,
            columns[label],
            told,
            strict=True,
        ):
            if at < latest:
                raise LabelledFileUnreadable(f"{path}: transaction {number} is earlier than the one before it")
            latest = at
            yield Payment(
                at,
                f"tx-{number}",
                f"card-{who}",
                f"term-{_text(where) or fields[0]}",
                int(amount),
                str(currency),
                bool(is_fraud),
                0,
                *map(_text, fields),
            )


def _text(value: Any) -> str | None:
    """None for an empty one: a CSV file has no other."""
    return str(value) if value is not None and value != "" else None


def _seconds(moment: datetime | str) -> float:
    parsed = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return parsed.replace(tzinfo=parsed.tzinfo or UTC).timestamp()


def _named(columns: dict[str, list[Any]], names: tuple[str, ...]) -> str:
    for name in names:
        if name in columns:
            return name
    raise LabelledFileUnreadable(f"no column {' or '.join(names)}; there are {', '.join(sorted(columns))}")


def _batches(path: Path) -> Iterator[dict[str, list[Any]]]:
    try:
        import pyarrow as pa
        import pyarrow.csv
        import pyarrow.parquet
    except ImportError as error:
        raise LabelledFileUnreadable("labelled files need pyarrow: install holdfast[data]") from error
    try:
        told = pa.csv.ConvertOptions(column_types=dict.fromkeys(_TOLD, pa.string()))  # 0742 is a category, 742 is none
        is_csv = path.suffix == ".csv"
        source = pa.csv.open_csv(path, convert_options=told) if is_csv else pa.parquet.ParquetFile(path).iter_batches()
        for batch in source:
            yield batch.to_pydict()
    except (OSError, pa.ArrowException) as error:
        raise LabelledFileUnreadable(f"{path}: {error}") from error
