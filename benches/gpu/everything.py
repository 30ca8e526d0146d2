"""All that is worth knowing of this package on a GPU, in one call: `learner.py`, then `rollout.py`.

    python benches/gpu/everything.py                      # writes benches/results/

Both run whatever the other does; the exit status is the number of those that failed. The last line is a JSON
object with what both printed there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=HERE.parent / "results", help="folder for the results")
    args = parser.parse_args()
    results, failed = {}, 0
    for script in ("learner", "rollout"):
        command = [sys.executable, str(HERE / f"{script}.py"), "--out", str(args.out)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        print(done.stdout, flush=True)
        failed += done.returncode != 0
        if done.returncode == 0:
            results[script] = json.loads(done.stdout.splitlines()[-1])
    print(json.dumps(results))
    sys.exit(failed)


if __name__ == "__main__":
    main()
