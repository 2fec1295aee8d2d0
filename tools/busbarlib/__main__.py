# SPDX-License-Identifier: BSD-2-Clause
"""What tools/busbar starts."""
import sys
from pathlib import Path

if sys.version_info < (3, 11):
    sys.exit("busbar: needs Python 3.11 or newer (it has tomllib); this is "
             + sys.version.split()[0] + ": install python3 of Debian 12 or newer")

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from busbarlib.cli import main  # noqa: E402

sys.exit(main(sys.argv[1:]))
