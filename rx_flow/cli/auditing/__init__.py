"""
The commands of auditors: verify a log, compare it with the rows, export it. Every result says what was not checked.
"""
