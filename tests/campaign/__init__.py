"""The campaign: a table's life on the laptop chain while everything goes wrong, and its judges.

evidence     what lies in the lake, the error store and the dead letters, and what was written
validators   what must be true of it, each a pure function
storm        calls between the services that go wrong
interruptions  parts that pause and die
chain        the laptop chain, begun anew for every campaign
life         the table's life, and a plain dict that knows what must come of it
judgement    what must be true of it in the end
effects      what each rule did: one that does nothing proves nothing
machine      hypothesis, which decides what happens
records      the same without a cloud, for many more histories

python -m tests.campaign --campaigns 200 --seed 1
"""
