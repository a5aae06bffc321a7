"""Fault-injection campaigns: random histories of a table on the laptop chain, checked at the end.

evidence         the lake, the error store, the dead letters, the stream and the table, as read
validators       the invariants of that evidence, as pure functions
fault_service    failing calls between the services
interruptions    services that are paused or killed
chain            the laptop chain, reset before every campaign
scenario         one history of the table, with a plain dict as its oracle
final_checks     the checks at the end of a scenario
effects          what each rule did, since a rule without any effect tests nothing
state_machine    hypothesis, which decides what happens
in_memory_chain  the same without a cloud, for many more histories

python -m tests.campaign --campaigns 200 --seed 1
"""
