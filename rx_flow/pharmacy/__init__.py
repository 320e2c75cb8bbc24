"""
The pharmacy (定点零售药店): claims, reviews a second time, has it settled, hands out, and takes back.
"""
