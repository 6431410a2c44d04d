"""Which facts may be read out."""

import pytest

from pipeline.knowledge import is_secret


@pytest.mark.parametrize(
    "key",
    ["ssn", "social_security_number", "card", "card_number", "cardNumber", "account",
     "account_number", "accountnumber", "password", "userpassword", "pin", "PIN", "iban", "dob",
     "date_of_birth", "birth-date", "api_key", "apikey", "token", "accessToken", "client_secret",
     "id", "order_id", "userId"],
)  # fmt: skip
def test_names_of_identifiers_and_secrets(key: str) -> None:
    assert is_secret(key)


@pytest.mark.parametrize(
    "key",
    ["amount_due", "due_date", "purchase", "doctor", "invoice_number", "turkey", "paid", "discard",
     "accountant", "appointment_time", "keyboard", "idea", "spinach"],
)  # fmt: skip
def test_names_of_the_matter(key: str) -> None:
    assert not is_secret(key)
