"""
What drives the running services from outside: the benchmark, the torture and the fuzzing share this.
"""
