"""
The sharing platform (处方流转平台): says where a prescription stands, keeps it sealed, and passes it on to its readers.
"""
