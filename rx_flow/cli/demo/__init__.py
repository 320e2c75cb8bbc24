"""
The demonstration: real drugs, invented people, and every way in which a prescription can end.

script  the words in which cases are written
cases   what is played, as data
stage   where it is played: keys, databases, insured persons, the running services, the clock
player  how it is played: the requests that doctors, pharmacists and patients would cause
report  what came of it: tables for people, JSON for machines
"""
