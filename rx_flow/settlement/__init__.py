"""
The insurer (医保经办机构): what the fund pays and what the patient pays, by dated policy, booked so that it balances.
"""
