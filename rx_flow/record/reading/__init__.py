"""
Questions that auditors ask of a site's log, answered from the database: pages, accesses, gaps, the report of a day.
"""
