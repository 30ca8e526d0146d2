"""Few examples and no deadline: these run beside other tests on small machines.

With `CI` set the examples are the same every time; at a desk each run looks at new ones.
`HYPOTHESIS_MAX_EXAMPLES=5000 pytest tests/property` looks longer.
"""

import os

from hypothesis import settings

settings.register_profile(
    "property",
    deadline=None,
    derandomize="CI" in os.environ,
    max_examples=int(os.environ.get("HYPOTHESIS_MAX_EXAMPLES", "80")),
)
settings.load_profile("property")
