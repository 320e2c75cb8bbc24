"""
The dual channel (双通道): one negotiated-drug prescription, from pen to payment.

law         what may happen, and when: pure
crypto      documents, packages, certificates, keys
record      the durable memory: transact, advance, dossier, outbox, audit
auth        who is calling: staff sessions, institutions' tokens, one institution's client for another
hospital    submit, approve, send_back, release, revoke
platform    receive, claim, hand_back, accept, refuse, dispense, take_back, expire, the vault
pharmacy    the counter: its queue and its opened copies
settlement  the insurer: policy, adjudicate, ledger
"""
