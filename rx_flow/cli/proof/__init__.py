"""
The commands that give out what proves a prescription, and judge it.
"""
