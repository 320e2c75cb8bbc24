"""
What audit entries say, in Chinese and English: sentences made from templates that stand outside the entries.
"""
