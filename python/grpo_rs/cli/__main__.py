"""`python -m grpo_rs.cli` is `grpo-rs`."""

import sys

from grpo_rs.cli import main

if __name__ == "__main__":
    sys.exit(main())
