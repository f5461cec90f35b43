"""The type of an id in a record."""

from typing import Annotated

# RingCentral sends some ids as integers and some as strings; they are str here, always. The mark
# tells the converter where it may take an integer for a str: nowhere else.
Id = Annotated[str, "id"]
