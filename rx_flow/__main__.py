"""
`python -m rx_flow`: the same as the command `rx-flow`.
"""

from rx_flow.cli import main

main()
