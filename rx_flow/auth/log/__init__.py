"""
The verifiable log while sites run: who signs and who witnesses, the sequencer of the platform, the witness of others.
"""
