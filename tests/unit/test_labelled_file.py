"""Labelled files: what the history tells is read, by the contract's names, and what it does not tell is missing."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from models.warm_up import Payment
from streams.operating.labelled_file import LabelledFileUnreadable, read_labelled

EPOCH = datetime(2018, 4, 1, tzinfo=UTC)
PLAIN = "transaction_id,seconds,customer_id,terminal_id,amount_minor,is_fraud"


def payments_of(folder: Path, *lines: str) -> list[Payment]:
    pytest.importorskip("pyarrow", reason="labelled files need pyarrow")
    file = folder / "history.csv"
    file.write_text("\n".join(lines) + "\n")
    return list(read_labelled(file, epoch=EPOCH))


def test_a_plain_history_tells_no_more_than_its_columns(tmp_path: Path) -> None:
    (payment,) = payments_of(tmp_path, PLAIN, "7,60,3,5,1250,1")
    assert payment == Payment(EPOCH.timestamp() + 60, "tx-7", "card-3", "term-5", 1_250, "USD", is_fraud=True)


def test_columns_by_the_contracts_names_are_told_as_they_are_written(tmp_path: Path) -> None:
    told, untold = payments_of(
        tmp_path,
        f"{PLAIN},merchant_id,mcc,merchant_country,card_country,channel,pan_entry_mode,device_id,eci,avs_result",
        "7,60,3,5,1250,0,m-1,0742,FR,DE,ecommerce,012,d-1,05,N",
        "8,61,3,,1250,0,m-1,,,,,,,,",
    )
    assert (told.merchant_id, told.mcc, told.pan_entry_mode, told.eci) == ("m-1", "0742", "012", "05")
    assert (told.merchant_country, told.card_country, told.channel) == ("FR", "DE", "ecommerce")
    assert (told.device_id, told.avs_result, told.cvv_result) == ("d-1", "N", None)
    assert (untold.mcc, untold.channel, untold.device_id) == (None, None, None)
    assert (told.acceptor, untold.acceptor) == ("term-5", "term-m-1")


def test_a_history_that_goes_back_in_time_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelledFileUnreadable, match="earlier than the one before"):
        payments_of(tmp_path, PLAIN, "7,60,3,5,1250,0", "8,59,3,5,1250,0")
