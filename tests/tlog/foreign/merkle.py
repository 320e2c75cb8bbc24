"""
Roots by pymerkle, run by the interpreter that has it: for each size asked, as JSON.
"""

import json
import sys

from pymerkle import InmemoryTree


def main() -> None:
    """Argument: `{"entries": [...], "sizes": [...]}`; answers with the root at each size."""
    asked = json.loads(sys.argv[1])
    tree = InmemoryTree(algorithm="sha256")
    for entry in asked["entries"]:
        tree.append_entry(entry.encode())
    sys.stdout.write(json.dumps([tree.get_state(size).hex() for size in asked["sizes"]]))


if __name__ == "__main__":
    main()
