import sys
from pathlib import Path

# Scripts find their modules beside themselves.
sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
