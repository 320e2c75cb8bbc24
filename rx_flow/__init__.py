"""
The dual channel (双通道): one negotiated-drug prescription, from pen to payment.

law         what may happen, and when: pure
crypto      documents, packages, certificates, keys, suites of algorithms
tlog        transparency logs: trees, tiles, checkpoints, proofs, witnesses, and the verifier of a whole log
evidence    a prescription proven to strangers: the bundle, the sealed sheet, and their judges
record      the durable memory: transact, advance, dossier, outbox, audit, and the log that is signed
auth        who is calling: staff sessions, institutions' tokens, one institution's client for another
hospital    submit, approve, send_back, release, revoke
platform    receive, claim, hand_back, accept, refuse, dispense, take_back, expire, the vault
pharmacy    the counter: its queue and its opened copies
settlement  the insurer: policy, adjudicate, ledger
opening     keys, schema and comparison of an institution, for commands and services alike
app         a site, or every site, put together, started and stopped
cli         the command rx-flow: keys, serve, audit, evidence, verify, law, demo
"""
