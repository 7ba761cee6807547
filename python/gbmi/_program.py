"""The command `gbmi`, as the wheel puts it on the path."""

import sys

from . import _gbmi


def main() -> None:
    """Run the command line of this process."""
    sys.exit(_gbmi.main(["gbmi", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
