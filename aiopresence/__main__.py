"""`python -m aiopresence` runs the command `aiopresence`."""

from .cli import main

if __name__ == "__main__":
    main()
