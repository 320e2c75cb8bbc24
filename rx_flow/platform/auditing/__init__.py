"""
What auditors ask the platform: entries by any question, the timeline of a prescription, accesses, the day's report.
"""
