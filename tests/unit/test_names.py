"""Names that look alike are one person's; names that do not, are not."""

import pytest

from adapters.web.decode import person
from adapters.web.names import are_alike
from core.errors import Rejected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ana", "Аna"),  # Cyrillic А
        ("Ana", "ａｎａ"),
        ("Ana", "𝐀𝐧𝐚"),
        ("Ana", "Ána"),
        ("Ana", "A\u0301na"),
        ("Ana", "ANA"),
        ("Ana", "An\u200ba"),
        ("Ana", "\u202eAna"),
        ("Ana", "Ana 🎨"),
        ("Ana", "Ꭺna"),
        ("Bo Li", "Во Li"),
        ("Bo Li", "bo-li"),
        ("Bill", "BiIl"),
        ("Bill", "Bi1l"),
        ("Ian", "lan"),
        ("Nora", "Νora"),  # Greek Ν
        ("Zoe", "Zoë"),
        ("Oscar", "0scar"),
        ("陈", "陈"),
    ],
)
def test_they_look_alike(one: str, other: str) -> None:
    assert are_alike(one, other)
    assert are_alike(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ana", "Anna"),
        ("Mila", "Miia"),
        ("Ian", "Lan"),
        ("Iana", "Lana"),
        ("Thủy", "Thúy"),
        ("Hùng", "Hưng"),
        ("กิ่ง", "กุ้ง"),
        ("राम", "रोमी"),
        ("はな", "ばな"),
        ("陈", "程"),
        ("Анна", "Инна"),
        ("P1", "P2"),
        ("P1", "P11"),
    ],
)
def test_they_do_not(one: str, other: str) -> None:
    assert not are_alike(one, other)


@pytest.mark.parametrize(
    "name", ["EASEL", "ЕASEL", "Ｅasel", "Eаsel", "EaseI"]
)
def test_nobody_is_called_as_we_are(name: str) -> None:
    with pytest.raises(Rejected) as caught:
        person(name)
    assert caught.value.key == "room.name_taken"
