import importlib.util
import sys
from pathlib import Path


def module(name):
    """Makes `import name` work in the test files here: their folder is not in sys.path."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])


module("golden")
if importlib.util.find_spec("torch"):
    module("vectors_of_losses")
