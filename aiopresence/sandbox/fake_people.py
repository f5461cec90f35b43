"""Invented names, numbers, ids and credentials, the same for the same seed."""

import random
import re
import unicodedata

_FIRST_NAMES = (
    "Ada Amir Anna Bela Björn Carla Chen Dana Diego Elif Emma Farid Fatima Georg Grace Hana Hugo "
    "Ines Ivan Jana João Kai Kofi Lars Leila Luca Maeve Mateo Mei Nadia Noah Olga Omar Paulo "
    "Priya Rosa Samir Sofia Tariq Uma Viktor Wanda Yuki Zoë"
)
_LAST_NAMES = (
    "Abbott Almeida Bauer Berg Brandt Castillo Chaudhary Costa Dahl Diaz Evans Farkas Fischer "
    "Garcia Haddad Hansen Ito Jensen Kapoor Keller Kowalski Lang Lindqvist Martin Mensah Meyer "
    "Moreau Nakamura Novak O'Brien Okafor Park Petrov Quinn Rossi Santos Schäfer Silva Tanaka "
    "Torres Vargas Weber Yilmaz Zhang"
)
_FIRST = _FIRST_NAMES.split()
_LAST = _LAST_NAMES.split()
# 555-0100 to 555-0199 are reserved for fiction in every area code.
_AREAS = ("202", "212", "303", "312", "415", "503", "617", "650", "702", "808")
_TOPICS = ("Sales", "Support", "Billing", "Claims", "Dispatch", "Returns", "Press", "Warehouse")
_JOBS = ("Agent", "Engineer", "Assistant", "Analyst", "Manager")
_SUFFIX = {
    "Department": "Queue",
    "IVR Menu": "Menu",
    "Voicemail": "Mailbox",
    "Announcement Only": "Announcement",
    "Fax User": "Fax",
    "Paging Only": "Paging",
    "Shared Lines": "Lines",
    "Park Location": "Parking",
    "Application": "App",
}
# The types of the extensions that are not people; every third or so is a call queue.
_OTHERS = (
    "Department",
    "IVR Menu",
    "Voicemail",
    "Department",
    "Announcement Only",
    "Fax User",
    "Department",
    "Paging Only",
    "Shared Lines",
    "Park Location",
    "Application",
)
_BASE62 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def kind(index: int) -> str:
    """Return the type of the extension at an index: every 20th is not a User."""
    if index % 20 != 19:
        return "User"
    return _OTHERS[index // 20 % len(_OTHERS)]


def person(rng: random.Random) -> str:
    """Return a random name of a person."""
    return f"{rng.choice(_FIRST)} {rng.choice(_LAST)}"


def name(rng: random.Random, kind: str) -> str:
    """Return a random name for an extension of a type."""
    return person(rng) if kind == "User" else f"{rng.choice(_TOPICS)} {_SUFFIX[kind]}"


def email(name: str, number: str) -> str:
    """Return an e-mail address of an extension, which nobody else has and nobody receives."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z]+", plain.lower().replace("'", ""))
    return f"{'.'.join([*words, number])}@example.com"


def department(index: int) -> str:
    """Return the department of the person at an index."""
    return _TOPICS[index % len(_TOPICS)]


def job_title(index: int) -> str:
    """Return the job title of the person at an index."""
    return f"{department(index)} {_JOBS[index // len(_TOPICS) % len(_JOBS)]}"


def phone_number(rng: random.Random) -> str:
    """Return a random phone number that nobody has."""
    return f"+1{rng.choice(_AREAS)}55501{rng.randrange(100):02}"


def ids(rng: random.Random, count: int) -> list[str]:
    """Return unique internal ids of 9 to 12 digits, in random order."""
    found: dict[str, None] = {}
    while len(found) < count:
        low = 10 ** rng.randrange(8, 12)
        found[str(rng.randrange(low, 10 * low))] = None
    return list(found)


def token(rng: random.Random, prefix: str, length: int) -> str:
    """Return a random credential with a prefix that names its kind."""
    return prefix + "".join(rng.choices(_BASE62, k=length - len(prefix)))
