"""The command `gbmi`, as the wheel puts it on the path."""

import os
import sys

from . import _gbmi


def main() -> None:
    """Run the command line of this process."""
    # The program itself would start again to say so: training is faster without candle's threads.
    os.environ.setdefault("RAYON_NUM_THREADS", "1")
    sys.exit(_gbmi.main(["gbmi", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
